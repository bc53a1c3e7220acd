"""A generator is a folder with examples/generate.py."""

from pathlib import Path

import pytest

from vbvrdatafactory.core.errors import ConfigError, SpecError
from vbvrdatafactory.fleet.catalogue import list_generators, read_catalogue
from vbvrdatafactory.planning.selection import choose_generators, families

UNUSABLE = (
    "V-1_x (copy)",
    "V-1_x~",
    "V-1_x – Kopie",  # noqa: RUF001 - as a file manager writes it
    "V-1_x ",
    "V-1_x.",
    "V..1",
    "V-1_\x1b[31m",
    "_V-1_x",
    "V-9_" + "x" * 200,
)


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


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """One good generator, and what file managers, editors and people leave beside it."""
    for name in ("V-1_x", *UNUSABLE, ".ipynb_checkpoints", ".hidden", "template"):
        (tmp_path / name / "examples").mkdir(parents=True)
        (tmp_path / name / "examples" / "generate.py").touch()
    (tmp_path / "V-2_file").touch()
    (tmp_path / "V-3_dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "V-4_loop").symlink_to(tmp_path / "V-4_loop")
    (tmp_path / "V-5_folder" / "examples" / "generate.py").mkdir(parents=True)
    return tmp_path


def test_a_folder_with_an_unusable_name_is_told_and_stops_nobody(shelf: Path) -> None:
    """Copies with odd names are set apart with the reason; hidden folders, files and dead links are nothing."""
    found = read_catalogue(shelf)
    assert found.usable == list_generators(shelf) == ["V-1_x"]
    assert found.unusable.keys() == set(UNUSABLE)
    assert all("rename the folder" in why for why in found.unusable.values())


@pytest.mark.parametrize("pattern", ["all", "*", "V-*"])
def test_globs_leave_unusable_folders_out(shelf: Path, pattern: str) -> None:
    """`all` and globs stand for what can be used; what they would have stood for besides is told."""
    found = read_catalogue(shelf)
    assert choose_generators([pattern], found.usable, found.unusable) == ("V-1_x",)
    assert set(found.left_out([pattern])) >= {name for name in UNUSABLE if name.startswith("V-")}
    assert found.left_out(["V-1_x"]) == {}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_folder_that_is_asked_for_by_name_is_refused_with_the_reason(
    shelf: Path, name: str
) -> None:
    """The error has the name and what to do, and is not that the generator is unknown."""
    found = read_catalogue(shelf)
    with pytest.raises(SpecError, match="can't be used.*rename the folder") as refused:
        choose_generators(["V-1_x", name], found.usable, found.unusable)
    assert repr(name) in str(refused.value)


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's folder among the generators stops none of the others."""
    for name in ("V-1_x", "V-2_locked"):
        (tmp_path / name / "examples").mkdir(parents=True)
        (tmp_path / name / "examples" / "generate.py").touch()
    original = Path.is_file

    def is_file(path: Path) -> bool:
        if "V-2_locked" in path.parts:
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(Path, "is_file", is_file)
    assert read_catalogue(tmp_path) == (["V-1_x"], {"V-2_locked": "it can't be read: Permission denied"})


def test_families_are_globs_of_two_or_more() -> None:
    """A family is what stands before the number, however it is joined to it; one generator is none."""
    names = ["G-1_a", "O-2_b", "O-41_c", "O_48_d", "O_50_e", "V-1_f", "maze-runner", "maze-walker"]
    assert families(names) == ["O-*", "O_*"]
