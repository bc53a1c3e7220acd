"""What a generator asks for, and what is changed of it."""

from pathlib import Path

import pytest

from vbvrdatafactory.fleet.requirements import normalise, read_asked


def asked(folder: Path, text: str) -> tuple[tuple[str, ...], str]:
    (folder / "requirements.txt").write_text(text)
    found = read_asked(folder)
    return found.requirements, found.problem


def test_equal_requirements_are_equal(tmp_path: Path) -> None:
    """Case, spaces, order, comments and line ends make no difference."""
    one = asked(tmp_path, "Pillow==10.4.0  # pictures\r\nnumpy == 1.26.4\r\n")
    assert (
        one
        == asked(tmp_path, "# all\n\nnumpy==1.26.4\npillow==10.4.0")
        == (("numpy==1.26.4", "pillow==10.4.0"), "")
    )


def test_a_gui_build_becomes_headless(tmp_path: Path) -> None:
    """OpenCV's GUI builds become the headless ones of the same version, and that is said."""
    (tmp_path / "requirements.txt").write_text("opencv-python==4.10.0.84\nopencv_contrib_python>=4\n")
    found = read_asked(tmp_path)
    assert found.requirements == ("opencv-contrib-python-headless>=4", "opencv-python-headless==4.10.0.84")
    assert [change.split()[0] for change in found.changes] == ["opencv-python", "opencv-contrib-python"]


def test_what_is_included_counts(tmp_path: Path) -> None:
    """A file that the generator includes is read; its own folder and a package index are left out, and said."""
    (tmp_path / "more.txt").write_text("numpy\n")
    (tmp_path / "requirements.txt").write_text(
        "-r more.txt\n-e .\n--extra-index-url https://example.com/simple\n"
    )
    found = read_asked(tmp_path)
    assert (found.requirements, found.problem, len(found.changes)) == (("numpy",), "", 2)


def test_markers_stay(tmp_path: Path) -> None:
    """A requirement for some systems only stays one."""
    assert asked(tmp_path, 'numpy>=2 ; python_version < "3.12"')[0] == ('numpy>=2; python_version < "3.12"',)


def test_none_asks_for_nothing(tmp_path: Path) -> None:
    """Without the file nothing is asked for."""
    assert read_asked(tmp_path).requirements == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("numpy==1\nwhat is this", "requirements.txt:2: 'what is this'"),
        (
            "git+https://example.com/x.git",
            "requirements.txt:1: 'git+https://example.com/x.git' is not a package",
        ),
        ("x @ https://example.com/x.whl", "overrides.toml"),
        ("./wheels/x.whl", "overrides.toml"),
        ("-r ../../secret.txt", "../../secret.txt is included, and is no file of the generator's"),
        ("-r requirements.txt", "is included"),
    ],
)
def test_what_cannot_be_locked_is_said(tmp_path: Path, text: str, says: str) -> None:
    """A line that no lock can hold is named with its number and what to do."""
    requirements, problem = asked(tmp_path, text)
    assert (requirements, says in problem) == ((), True), problem


def test_what_is_no_text_is_said(tmp_path: Path) -> None:
    """A file that is no UTF-8 is a problem of that generator, not an error of all."""
    (tmp_path / "requirements.txt").write_bytes(b"\xff\xfe\0n")
    assert "utf-8" in read_asked(tmp_path).problem


def test_no_requirement_is_an_error() -> None:
    """What a person says is refused where it is no requirement."""
    with pytest.raises(ValueError, match="is no requirement"):
        normalise(["not a thing"])


def test_a_deep_marker_is_a_problem(tmp_path: Path) -> None:
    """A marker that is nested too deeply is named as what is wrong, here and in overrides.toml."""
    deep = "numpy; " + "(" * 5000 + "os_name == 'posix'" + ")" * 5000
    assert "is no requirement" in asked(tmp_path, deep)[1]
    with pytest.raises(ValueError, match="nested too deeply"):
        normalise([deep])
