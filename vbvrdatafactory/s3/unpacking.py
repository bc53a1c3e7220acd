"""Unpacks a downloaded archive to the paths that its samples have as files: all of them, or none."""

import filecmp
import os
import stat
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from vbvrdatafactory.core import keys
from vbvrdatafactory.s3.folder import Folder, put

_CHUNK = 1024 * 1024
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, OSError)


def unpack(archive: Path, generator: str, folder: Folder, staging: Path) -> int:
    """Unpack the archive, all files or none; returns how many did not exist.

    An unpacked file has the modification time of its archive. An existing file of another time or size is compared.

    Args:
        archive: the tar.gz.
        generator: the only generator whose samples it may hold.
        folder: the destination.
        staging: an empty folder for files that are not in place yet.

    Raises:
        ValueError: it is damaged, or holds something that is no file of `generator`.
    """
    time_ns = archive.stat().st_mtime_ns
    places: dict[Path, Path] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                path = _place(member, generator, folder)
                if path and not _is_there(path, member.size, time_ns):
                    tar.extract(member, staging, filter="data")
                    places[staging / member.name] = path
            _read_to_end(tar)
    except _DAMAGED as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error
    return sum(_put(staged, path, time_ns) for staged, path in places.items())


def _place(member: tarfile.TarInfo, generator: str, folder: Folder) -> Path | None:
    """The path of a member; None for a folder."""
    if member.isdir():
        return None
    if not member.isfile():
        raise ValueError(f"it holds {member.name!r}, which is no plain file")
    path = folder.place(keys.QUESTIONS + member.name)
    if PurePosixPath(member.name).parts[0] != generator:
        raise ValueError(f"it holds {member.name!r}, which is not of {generator}")
    return path


def _is_there(path: Path, size: int, time_ns: int) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == (size, time_ns)


def _read_to_end(tar: tarfile.TarFile) -> None:
    """Gzip verifies its checksum at the end of the file, beyond what tarfile reads."""
    while tar.fileobj and tar.fileobj.read(_CHUNK):
        pass


def _put(staged: Path, path: Path, time_ns: int) -> bool:
    """Move a file into place; False where it exists with the same bytes."""
    if path.is_file() and not path.is_symlink() and filecmp.cmp(staged, path, shallow=False):
        os.utime(path, ns=(time_ns, time_ns))
        return False
    put(staged, path, time_ns)
    return True
