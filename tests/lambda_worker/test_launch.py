"""Generators that a warm parent forks behave as those that start in a new interpreter, only sooner."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lambda_worker import launch, processes
from lambda_worker.limits import Limits
from lambda_worker.run import Job, Run, run_generator
from lambda_worker.sandbox import common_environment, sandbox

Tiny = Callable[..., str]
SAY = "import os, sys\nstr('--output')\ndef say(what): print(what, file=sys.stderr)\n"


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The number of a warm parent of this test's own."""
    processes.prepare()
    monkeypatch.setattr(launch, "_warm", None)
    before = processes.children()
    monkeypatch.setenv("MY_TOKEN", "do not tell")
    launch.warm_up(common_environment())
    (parent,) = processes.children() - before
    yield parent
    with suppress(ProcessLookupError):
        os.kill(parent, signal.SIGKILL)


@pytest.fixture
def said(tiny: Tiny, generators: Path) -> Callable[[str], str]:
    """Runs a script as a generator; what it said."""

    def run(script: str) -> str:
        folder = generators / tiny()
        (folder / "examples" / "generate.py").write_text(SAY + script)
        return _run(folder).stderr_tail

    return run


def _run(folder: Path) -> Run:
    with sandbox() as box:
        job = Job(folder, num_samples=1, seed=0, seconds=20, cancelled=threading.Event())
        return run_generator(box, job, Limits())


def test_imports_are_done_already(warm: int, said) -> None:
    """A generator finds NumPy and Pillow imported, and its own packages still to be imported."""
    script = "say(['numpy' in sys.modules, 'PIL.Image' in sys.modules, 'core' in sys.modules])"
    assert said(script) == "[True, True, False]"


def test_it_looks_like_a_new_interpreter(warm: int, said, monkeypatch: pytest.MonkeyPatch) -> None:
    """Module path, folder, arguments, environment and name are those of a new interpreter."""
    script = "say([sys.path[:2], os.getcwd(), sys.argv[1:3], sorted(os.environ), __name__, os.environ['PYTHONHASHSEED']])"
    forked = said(script)
    monkeypatch.setattr(launch, "_warm", None)
    assert said(script) == forked
    assert "MY_TOKEN" not in forked


def test_chance_is_not_inherited(warm: int, said) -> None:
    """A generator that seeds nothing gets other numbers in each batch, from Python and from NumPy."""
    script = "import random, numpy\nsay([random.random(), float(numpy.random.rand())])"
    first, second = (said(script).strip("[]").split(", ") for _ in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_exit_codes_and_signals_come_through(warm: int, tiny: Tiny, generators: Path) -> None:
    """How a forked generator ended is known: a code, or the signal that killed it."""
    folder = generators / tiny()
    script = folder / "examples" / "generate.py"
    for code, ending in ((3, "os._exit(3)"), (-signal.SIGSEGV, f"os.kill(os.getpid(), {signal.SIGSEGV:d})")):
        script.write_text(f"{SAY}{ending}")
        assert _run(folder).exit_code == code


def test_without_a_warm_parent_it_goes_on(warm: int, said) -> None:
    """A worker whose warm parent died starts generators in new interpreters."""
    os.kill(warm, signal.SIGKILL)
    end = time.monotonic() + 10
    while warm in processes.children() and time.monotonic() < end:
        time.sleep(0.01)
    assert said("say('numpy' in sys.modules)") == "False"
