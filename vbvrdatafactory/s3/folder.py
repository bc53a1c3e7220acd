"""The destination folder of a download: the path of a key, whether its file exists, and how it is put in place.

Others may write to the bucket: no path outside the folder results from a key or an archive, by its name or
through a link.
"""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from vbvrdatafactory.core import keys
from vbvrdatafactory.s3.checksums import ContentSum, md5_of
from vbvrdatafactory.s3.odd_keys import Stored

_CHUNK = 4 * 1024 * 1024
# Separators of folders, drives or strings on one system or another.
_UNSAFE_CHARACTERS = frozenset("\\:\0")
_MICROSECONDS, _NANOSECONDS = 10**6, 10**9


def target(dest: Path, key: str) -> Path:
    """The path below `dest` that `key` has below ``questions/``.

    Raises:
        ValueError: it would be outside of `dest`, or is no valid path on every system.
    """
    parts = key.removeprefix(keys.QUESTIONS).split("/")
    unsafe = any(part in ("", ".", "..") or _UNSAFE_CHARACTERS & set(part) for part in parts)
    if unsafe or not key.startswith(keys.QUESTIONS):
        raise ValueError(f"{key!r} would leave the folder")
    return dest.joinpath(*parts)


def time_of(stored: Stored) -> int:
    """The modification time, in nanoseconds, of the file with this version of an object.

    Its seconds are the object's. S3 has no finer time, and two versions of one size may be of the same second, so the
    microseconds are a hash of the ETag.
    """
    mark = int.from_bytes(hashlib.sha256((stored.e_tag or "").encode()).digest()[:8]) % _MICROSECONDS
    return int(stored.last_modified.timestamp()) * _NANOSECONDS + mark * (_NANOSECONDS // _MICROSECONDS)


class Folder:
    """A folder on this machine; many threads may use it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = os.path.realpath(root)
        self._inside: set[Path] = set()

    def place(self, key: str) -> Path:
        """The path of `key`.

        Raises:
            ValueError: it would be outside of the folder, by its name or through a link.
        """
        path = target(self.root, key)
        if path.parent not in self._inside:
            real = os.path.realpath(path.parent)
            if os.path.commonpath([real, self._real]) != self._real:
                raise ValueError(f"a link leads out of the folder, to {real!r}")
            self._inside.add(path.parent)
        return path

    def has(self, stored: Stored) -> bool:
        """Whether the object's file exists with its size and time, or with its size and digest.

        False for a key that has no valid path.
        """
        try:
            path = self.place(stored.path)
            found = path.lstat()
        except (OSError, ValueError):
            return False
        if not stat.S_ISREG(found.st_mode) or found.st_size != stored.size:
            return False
        return found.st_mtime_ns == time_of(stored) or _holds(path, stored)


def put(staged: Path, path: Path, time_ns: int | None = None) -> None:
    """Move a complete file into place by a rename, with this modification time."""
    if time_ns is not None:
        os.utime(staged, ns=(time_ns, time_ns))
    path.parent.mkdir(parents=True, exist_ok=True)
    staged.replace(path)


def _holds(path: Path, stored: Stored) -> bool:
    """Whether the file's MD5 is the object's ETag; then it gets the object's time."""
    md5 = md5_of(stored.e_tag)
    if md5 is None or _md5_of_file(path) != md5:
        return False
    # The time of another user's file can't be set; then the file is read again at the next download.
    with suppress(OSError):
        os.utime(path, ns=(time_of(stored), time_of(stored)))
    return True


def _md5_of_file(path: Path) -> str | None:
    """None where it can't be read."""
    content = ContentSum()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                content.add(chunk)
    except OSError:
        return None
    return content.md5
