"""A generator begins in an interpreter of its own, with the hash seed of its batch."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lambda_worker.generator.limits import Limits
from lambda_worker.generator.run import RunRequest, run_generator
from lambda_worker.generator.sandbox import sandbox

SAY = "import os, sys\nstr('--output')\ndef say(what): print(what, file=sys.stderr)\n"


@pytest.fixture
def said(tiny: Callable[..., str], generators: Path) -> Callable[..., str]:
    """Runs a script as a generator, under a hash seed; what it said."""

    def run(script: str, python_hash_seed: int = 0) -> str:
        folder = generators / tiny()
        (folder / "examples" / "generate.py").write_text(SAY + script)
        with sandbox() as box:
            job = RunRequest(folder, 1, 0, python_hash_seed, seconds=20, cancelled=threading.Event())
            return run_generator(box, job, Limits()).stderr_tail

    return run


def test_the_hash_seed_is_in_force(said) -> None:
    """hash(str) and the order of a set are those of a Python that was started with that PYTHONHASHSEED."""
    script = "say([hash('a sample'), list({'left', 'right', 'up', 'down'}), sys.flags.hash_randomization])"
    seeds = [0, 1, 2, 2**32 - 1]
    first = [said(script, seed) for seed in seeds]
    assert [said(script, seed) for seed in seeds] == first
    assert len(set(first)) == len(seeds)


def test_nothing_is_imported_before(said) -> None:
    """No package is there before the generator imports it, and none of ours can be imported."""
    script = "say([name for name in ('numpy', 'PIL', 'core', 'lambda_worker') if name in sys.modules])"
    assert said(script) == "[]"
    assert "launcher" in said("import launcher")


def test_it_looks_like_a_script_of_its_own(said, generators: Path) -> None:
    """Module path, folder, arguments and name are those of a script that was started from its folder."""
    folder = next(iter(generators.iterdir()), generators / "T-1_tiny_data-generator")
    script = "say([sys.path[0], sys.path[1], os.getcwd(), sys.argv[1:3], __name__])"
    expected = [str(folder / "examples"), str(folder), str(folder), ["--num-samples", "1"], "__main__"]
    assert said(script) == str(expected)


def test_chance_is_not_inherited(said) -> None:
    """A generator that seeds nothing gets other numbers in each batch, from Python and from NumPy."""
    script = "import random, numpy\nsay([random.random(), float(numpy.random.rand())])"
    first, second = (said(script).strip("[]").split(", ") for _ in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]
