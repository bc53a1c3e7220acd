"""Regular files are read, whatever else lies beside them."""

import os
from pathlib import Path

import pytest

from vbvrdatafactory.files import open_regular, readable_files


def is_text(path: Path) -> bool:
    return path.suffix == ".txt"


def test_files_are_found_in_order_however_deep(tmp_path: Path) -> None:
    """Paths are relative and in the order of their parts; what is not wanted is left out."""
    for name in ("b.txt", "a/z.txt", "a/b/c.txt", "a.txt", "a/no.bin"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    names = ["a/b/c.txt", "a/z.txt", "a.txt", "b.txt"]
    assert list(readable_files(tmp_path, is_text)) == [(Path(name), name.encode()) for name in names]
    assert list(readable_files(tmp_path / "nowhere", is_text)) == []


def test_a_link_counts_as_its_file(tmp_path: Path) -> None:
    """Links to files are followed, links to folders are not: they may lead back."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out.txt").write_text("x")
    (tmp_path / "in" / "link.txt").symlink_to("../out.txt")
    (tmp_path / "in" / "back").symlink_to("..")
    assert list(readable_files(tmp_path / "in", is_text)) == [(Path("link.txt"), b"x")]


def test_a_file_that_vanishes_is_passed_over(tmp_path: Path) -> None:
    """What is gone between the look and the read costs itself only."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    files = readable_files(tmp_path, is_text)
    assert next(files) == (Path("a.txt"), b"a")
    (tmp_path / "b.txt").unlink()
    assert list(files) == []


def test_a_link_is_never_opened(tmp_path: Path) -> None:
    """A file that a link took the place of is not read, however good what it leads to."""
    (tmp_path / "secret").write_text("do not tell")
    (tmp_path / "link").symlink_to("secret")
    with pytest.raises(OSError, match="symbolic links"):
        open_regular(tmp_path / "link")


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    """Nobody waits for a FIFO, and no descriptor is left open."""
    path = tmp_path / kind
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = Path("/dev/null")
    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(OSError, match="not a regular file|directory"):
        open_regular(path)
    assert len(list(Path("/dev/fd").iterdir())) == before
