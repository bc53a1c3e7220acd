"""`datafactory replay`: a sample is made again from its ledger row, in the sandbox, and compared."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from tests.cli.conftest import Place
from vbvrdatafactory.core.models import TaskMessage

TINY = Path(__file__).parents[1] / "data" / "tiny_generator"
NAME = "T-1_tiny_data-generator"


@pytest.fixture
def made(place: Place) -> Callable[..., Path]:
    """Makes a batch of four samples from index 8 on, as the worker does; gives the generator's folder."""

    def make(output_format: str = "files") -> Path:
        folder = place.generators / NAME
        shutil.copytree(TINY, folder)
        message = TaskMessage(type=NAME, num_samples=4, start_index=8, seed=7, output_format=output_format)
        Worker(place.generators, lambda *_: place.store).process(Delivery(message, 7, 1, 30))
        return folder

    return make


def edit(folder: Path, old: str, new: str) -> None:
    script = folder / "examples" / "generate.py"
    text = script.read_text()
    assert old in text
    script.write_text(text.replace(old, new))


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_the_same_again(run, made, tmp_path, output_format: str) -> None:
    """The sample is made from its row, with the digest that was recorded, and its files are kept where asked."""
    made(output_format)
    result = run("replay", NAME, 9, "--out", tmp_path / "again")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Sample 9 is number 1 of a run of 4 from 8 with seed 7 (salt 0); receipts/")
    assert (lines[-1].startswith("The same"), result.exit_code) == (True, 0), result.output
    (folder,) = (tmp_path / "again").iterdir()
    assert folder.name.endswith("_0009")
    assert {"first_frame.png", "prompt.txt", "ground_truth.mp4"} <= {path.name for path in folder.iterdir()}


def test_other_code_is_named_with_the_file_that_differs(run, made) -> None:
    """Another script made another prompt: the file, the sizes and both digests of the code are said."""
    edit(made(), "Continue ", "Go on with ")
    result = run("replay", NAME, 9)
    assert "prompt.txt differs: " in result.stdout
    assert "other code: " in result.stdout
    assert (result.stdout.splitlines()[-1].startswith("Not the same"), result.exit_code) == (True, 1)


def test_a_generator_that_does_not_repeat_itself(run, made, place) -> None:
    """Same code, same seed, other bytes: it is the generator, and that is said."""
    folder = place.generators / NAME
    shutil.copytree(TINY, folder)
    edit(folder, "Continue ", "{__import__('time').time_ns()} Continue ")
    message = TaskMessage(type=NAME, num_samples=4, start_index=8, seed=7)
    Worker(place.generators, lambda *_: place.store).process(Delivery(message, 7, 1, 30))
    result = run("replay", NAME, 9)
    assert "this generator does not repeat itself" in result.stdout
    assert result.exit_code == 1


def test_a_sample_that_was_replaced_since(run, made, place) -> None:
    """The replay is compared with the record, whatever lies in the bucket now."""
    made()
    (key,) = (key for key in place.listed() if key.endswith("_0009/prompt.txt"))
    place.put(key, b"by hand")
    assert run("replay", NAME, 9).exit_code == 0


def test_a_broken_generator_says_why(run, made) -> None:
    """A replay that fails ends with the last line of the generator's stderr."""
    folder = made()
    (folder / "behaviour.json").write_text(json.dumps({"crash": True}))
    (folder / "examples" / "generate.py").write_text("raise ValueError('no such shape')")
    result = run("replay", NAME, 9)
    assert (result.exit_code, "no such shape" in result.output) == (1, True)


@pytest.mark.parametrize(("name", "index"), [(NAME, "12"), ("T-9_nobody_data-generator", "0")])
def test_what_nobody_recorded(run, made, name: str, index: str) -> None:
    """A sample without a receipt can't be made again, and that is said with the next move."""
    made()
    result = run("replay", name, index)
    assert (result.exit_code, f"no receipt says how sample {index} of" in result.output) == (1, True)


def test_a_name_that_is_a_path(run, made) -> None:
    """Nothing outside of GENERATORS_PATH is run."""
    made()
    assert run("replay", "../x", "9").exit_code == 2
