"""A generator is a folder with examples/generate.py."""

from pathlib import Path

import pytest

from vbvrdatafactory.core.catalogue import families, list_generators
from vbvrdatafactory.core.errors import ConfigError


def test_generators_are_listed_sorted_without_the_template(tmp_path: Path) -> None:
    """Folders without the entry point, loose files and the authors' template are no generators."""
    for name in ("O-2_b", "G-1_a", "template"):
        (tmp_path / name / "examples").mkdir(parents=True)
        (tmp_path / name / "examples" / "generate.py").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "README.md").touch()
    assert list_generators(tmp_path) == ["G-1_a", "O-2_b"]


def test_a_path_that_is_no_folder_names_its_variable(tmp_path: Path) -> None:
    """The error says which variable to set, and to what it is set."""
    with pytest.raises(ConfigError, match=r"GENERATORS_PATH is '.*nowhere'"):
        list_generators(tmp_path / "nowhere")


def test_families_are_globs_of_two_or_more() -> None:
    """A family is what stands before the number, however it is joined to it; one generator is none."""
    names = ["G-1_a", "O-2_b", "O-41_c", "O_48_d", "O_50_e", "V-1_f", "maze-runner", "maze-walker"]
    assert families(names) == ["O-*", "O_*"]
