"""A sample depends on seed and index, and on nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.generators.program import BALLS, MAZE, PUZZLE, Program, Variant, content, metadata

Made = Callable[[Program], list[Path]]

ONE_BY_ONE = """
from core import OutputWriter
from pathlib import Path
import tempfile
folder = Path(tempfile.mkdtemp())
pair = generator.generate_task_pair(generator.config.domain + "_00000002")
one = OutputWriter(folder).write_task_pair(pair)
alone = {p.name: p.read_bytes().hex() for p in one.iterdir()}
import contextlib, io, shutil
with contextlib.redirect_stdout(io.StringIO()):
    OutputWriter(folder).write_dataset(generator.generate_dataset())
among = {p.name: p.read_bytes().hex() for p in one.iterdir()}
shutil.rmtree(folder)
print(json.dumps([alone == among, sorted(alone)]))
"""


def test_the_same_seed_gives_the_same_bytes(program: Program, samples: list[Path], again: Made) -> None:
    """Two runs under one seed agree in every byte of every file, whatever PYTHONHASHSEED and threads are."""
    for one, other in zip(samples, again(program), strict=False):
        assert content(one) == content(other)


def test_a_shorter_run_is_the_head_of_a_longer_one(
    program: Program, samples: list[Path], again: Made
) -> None:
    """The samples of a run of two are the first two of a run of three."""
    head = again(program)
    assert [sample.name for sample in head] == [sample.name for sample in samples[:2]]
    assert [metadata(sample) for sample in head] == [metadata(sample) for sample in samples[:2]]


def test_another_seed_gives_other_samples(samples: list[Path], variant: dict[str, Variant]) -> None:
    """Runs under neighbouring seeds share no puzzle and no picture."""
    others = variant["neighbour"].samples
    assert not {metadata(s)["param_hash"] for s in samples} & {metadata(s)["param_hash"] for s in others}
    assert not {content(s)["first_frame.png"] for s in samples} & {
        content(s)["first_frame.png"] for s in others
    }


def test_a_sample_made_alone_is_the_one_made_among_others(program: Program) -> None:
    """generate_task_pair by name gives the bytes that generate_dataset gives in its place."""
    same, files = program.evaluate(ONE_BY_ONE)
    assert same
    assert len(files) == 5


@pytest.mark.parametrize(("program", "least"), [(MAZE, 600), (PUZZLE, 1980), (BALLS, 600)])
def test_puzzles_seldom_repeat(
    program: Program, least: int, puzzles: Callable[[Program], list[dict[str, Any]]]
) -> None:
    """Of all puzzles drawn (2,000 sliding ones, 600 others) all but a few sliding puzzles differ from each other, even if colours are left out."""
    looks = ("colour", "palette")
    bare = [{k: v for k, v in puzzle.items() if k not in looks} for puzzle in puzzles(program)]
    assert len({repr(puzzle) for puzzle in bare}) >= least
