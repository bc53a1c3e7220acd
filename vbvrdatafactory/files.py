"""Reads regular files in folders that other programs write to: an editor, a checkout, a generator.

Everything else is skipped: broken links, folders named ``x.py``, FIFOs, sockets, files without read permission, and
files that were removed since they were listed.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, without following a link or waiting for the writer of a FIFO.

    Raises:
        OSError: it does not exist, or is no regular file.
    """
    return open(path, "rb", opener=_open_unlinked)


def readable_files(folder: Path, wanted: Callable[[Path], bool]) -> Iterator[tuple[Path, bytes]]:
    """(path relative to `folder`, content) of the regular files that are `wanted` and can be read, sorted by path.

    A link to a file counts as that file; links to folders are not followed.
    """
    found = [Path(root, name).relative_to(folder) for root, _, names in os.walk(folder) for name in names]
    for path in sorted(filter(wanted, found)):
        try:
            with open(folder / path, "rb", opener=_open) as file:
                content = file.read()
        except OSError:
            continue
        yield path, content


def code_digest(folder: Path) -> str | None:
    """SHA-256 over the names and bytes of a generator's Python files and requirements; None without any."""
    digest, found = sha256(), False
    for path, content in readable_files(folder, _is_code):
        digest.update(os.fsencode(path.as_posix()) + b"\0%d\0" % len(content))
        digest.update(content)
        found = True
    return digest.hexdigest() if found else None


def _is_code(path: Path) -> bool:
    return path.name.endswith(".py") or (len(path.parts) == 1 and path.match("requirements*.txt"))


def _open_unlinked(path: str, flags: int) -> int:
    return _open(path, flags | os.O_NOFOLLOW)


def _open(path: str, flags: int) -> int:
    handle = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return handle
