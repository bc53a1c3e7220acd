"""Reads regular files in folders that others write to: an editor, a checkout, a generator.

Whatever else may lie there is passed over: links to nowhere, folders called ``x.py``, FIFOs, sockets, files that
may not be read, and files that are gone by the time they are looked at.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """A regular file, open to be read; never follows a link, never waits for a FIFO that took its place.

    Raises:
        OSError: it is something else by now, or gone.
    """
    return open(path, "rb", opener=_open_unlinked)


def readable_files(folder: Path, wanted: Callable[[Path], bool]) -> Iterator[tuple[Path, bytes]]:
    """Paths below `folder`, in order, and bytes of the regular files that are `wanted` and can be read.

    A link counts as the file it leads to; links to folders are not followed.
    """
    found = [Path(root, name).relative_to(folder) for root, _, names in os.walk(folder) for name in names]
    for path in sorted(filter(wanted, found)):
        try:
            with open(folder / path, "rb", opener=_open) as file:
                content = file.read()
        except OSError:
            continue
        yield path, content


def _open_unlinked(path: str, flags: int) -> int:
    return _open(path, flags | os.O_NOFOLLOW)


def _open(path: str, flags: int) -> int:
    handle = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return handle
