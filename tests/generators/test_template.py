"""The template, used as its README says."""

import shutil
from pathlib import Path

from tests.generators.program import TEMPLATE, Program, metadata


def test_a_copy_is_a_generator_of_its_own(tmp_path: Path) -> None:
    """A copy under another name and task runs at once, and its samples carry both."""
    folder = tmp_path / "V-9_my_task_data-generator"
    shutil.copytree(TEMPLATE.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    config = folder / "src" / "config.py"
    config.write_text(config.read_text().replace('"dot_to_ring"', '"my_task"'))
    (sample,) = Program(folder, "my_task").make(tmp_path / "out", 1, 5)
    assert sample.relative_to(tmp_path / "out").as_posix() == "my_task_task/my_task_00000000"
    assert metadata(sample)["generator"] == "V-9_my_task_data-generator"


def test_the_dot_ends_in_the_ring(tmp_path: Path) -> None:
    """Its example keeps dot and ring inside the picture and well apart."""
    for puzzle in TEMPLATE.puzzles(200):
        (x0, y0), (x1, y1) = puzzle["dot"], puzzle["ring"]
        assert (x1 - x0) ** 2 + (y1 - y0) ** 2 >= 0.3**2
        assert all(0.1 < value < 0.9 for value in (x0, y0, x1, y1))
