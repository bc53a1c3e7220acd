import gc
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lambda_worker.failure import BatchFailed
from lambda_worker.generator.output_option import declared_options, output_option
from vbvrdatafactory.core.causes import Cause

PYTHON = Path(sys.executable)
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize("option", ["--output", "--output-dir"])
def test_the_source_names_the_option(tmp_path: Path, option: str) -> None:
    """The output option is read from the script without running it."""
    script = tmp_path / "examples" / "generate.py"
    script.parent.mkdir()
    script.write_text(f"raise SystemExit('was run')\np.add_argument('-o', '{option}')\n")
    assert output_option(script, PYTHON, ENVIRONMENT) == option


def test_a_script_in_doubt_is_asked(tmp_path: Path) -> None:
    """A script that builds its options at run time is asked for its --help."""
    script = tmp_path / "examples" / "generate.py"
    script.parent.mkdir()
    script.write_text(
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('-' + '-output')\np.parse_args()\n"
    )
    assert output_option(script, PYTHON, ENVIRONMENT) == "--output"


def test_a_script_without_the_option_is_refused(tmp_path: Path) -> None:
    """A script with no output option fails the batch with the names it was searched for."""
    script = tmp_path / "examples" / "generate.py"
    script.parent.mkdir()
    script.write_text("import argparse\nargparse.ArgumentParser().parse_args()\n")
    with pytest.raises(BatchFailed, match="neither --output-dir nor --output"):
        output_option(script, PYTHON, ENVIRONMENT)


def test_other_strings_are_no_options() -> None:
    """A text that merely mentions an option in a help string does not declare it."""
    assert declared_options("p.add_argument('--out', help='like --output')\nx = '--output-dir'") == {"--out"}


@pytest.fixture
def _interrupted() -> Iterator[None]:
    """Threads take turns wherever Python collects garbage, as where a finalizer waits, and it does that all the time."""

    def pause(*_: object) -> None:
        time.sleep(0.0001)

    before = gc.get_threshold()
    gc.callbacks.append(pause)
    gc.set_threshold(20)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(pause)


@pytest.mark.usefixtures("_interrupted")
def test_batches_at_the_same_time_read_their_scripts() -> None:
    """Threads that read a source at the same time, each called from elsewhere, all get its options."""
    source = "p.add_argument('--output')\n" + "f(g(1))\n" * 50

    def called_from(depth: int) -> set[str]:
        return called_from(depth - 1) if depth else declared_options(source)

    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(called_from, range(24))]
    assert found == [{"--output"}] * 24


@pytest.mark.parametrize(
    "deep",
    ["x = " + "[" * 100_000, "x = -" + "-" * 100_000 + "1", "x" + ".a" * 100_000, "x = 1" + " + 1" * 100_000],
    ids=["brackets", "signs", "attributes", "sums"],
)
def test_a_script_nested_too_deeply_is_a_named_failure(tmp_path: Path, deep: str) -> None:
    """Where Python can't parse the script, its batch fails with what Python says, not with an error of the worker's."""
    script = tmp_path / "examples" / "generate.py"
    script.parent.mkdir()
    script.write_text(f"p.add_argument('--output')\n{deep}\n")
    with pytest.raises(BatchFailed, match="the generator ended with") as failed:
        output_option(script, PYTHON, ENVIRONMENT)
    assert failed.value.cause in {Cause.CRASH, Cause.MEMORY}
