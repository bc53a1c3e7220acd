"""Deletes folders of generators: whatever permissions, depth and names they have."""

import os
from contextlib import suppress
from itertools import count
from pathlib import Path


def remove(root: Path) -> None:
    """Delete `root` with everything in it, whatever permissions a generator removed and however deep its folders are.

    Folders are moved up to just below `root` before they are emptied: no path grows too long, and nothing recurses.
    """
    with suppress(FileNotFoundError):
        _open_up(root)
        for number in count():
            folders = [entry.path for entry in os.scandir(root) if unlink_or_is_folder(entry)]
            if not folders:
                break
            for place, folder in enumerate(folders):
                _empty(folder, f"{root}/{number}-{place}-")
        root.rmdir()


def _empty(folder: str, above: str) -> None:
    """Delete `folder` with its files; its own folders are moved up to names that begin with `above`."""
    _open_up(folder)
    for place, entry in enumerate(os.scandir(folder)):
        if unlink_or_is_folder(entry):
            # Moving a folder changes the ".." in it, which takes its owner's permission.
            _open_up(entry.path)
            os.rename(entry.path, f"{above}{place}")  # noqa: PTH104
    os.rmdir(folder)  # noqa: PTH106


def unlink_or_is_folder(entry: "os.DirEntry[str]") -> bool:
    """Delete what is no folder; True for a folder."""
    if entry.is_dir(follow_symlinks=False):
        return True
    os.unlink(entry.path)  # noqa: PTH108
    return False


def _open_up(folder: str | Path) -> None:
    with suppress(PermissionError):
        os.chmod(folder, 0o700)  # noqa: PTH101
