"""Reads samples to digest their content: the objects of one that is stored as files, or the members of an archive."""

import tarfile
import tempfile
import zlib
from collections.abc import Iterable
from hashlib import sha256
from typing import IO, BinaryIO, cast

from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.content import FileContent, HashedFile
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.keys import SampleFolder
from vbvrdatafactory.s3 import reading

_DAMAGED = (tarfile.TarError, EOFError, zlib.error, OSError)
_CHUNK = 1024 * 1024

# Size and SHA-256 of a sample's files, by their names.
Files = dict[str, FileContent]


class DamagedArchiveError(DataFactoryError):
    """An archive that can't be read to its end."""


def read_files(store: ObjectStore, keys_of_files: Iterable[str]) -> Files:
    """The content of one sample's files, by the last part of their keys.

    Raises:
        FileNotFoundError: one does not exist any more.
        DataFactoryError: one was not received whole.
    """
    return {key.rpartition("/")[2]: _content(store, key) for key in keys_of_files}


def read_archive(store: ObjectStore, key: str) -> dict[SampleFolder, Files]:
    """The content of every sample in an archive, read once from begin to end.

    Raises:
        FileNotFoundError: it does not exist any more.
        DataFactoryError: it was not received whole, or can't be unpacked.
    """
    with tempfile.TemporaryFile() as file:
        reading.stream(store, key, file.write, lambda: _empty(file))
        file.seek(0)
        try:
            return _members(file)
        except _DAMAGED as error:
            raise DamagedArchiveError(f"{key!r} can't be unpacked: {error}") from error


def _members(file: IO[bytes]) -> dict[SampleFolder, Files]:
    found: dict[SampleFolder, Files] = {}
    with tarfile.open(fileobj=file, mode="r:gz") as tar:
        for member in tar:
            folder, _, name = member.name.rpartition("/")
            sample = keys.parse_sample_folder(f"{keys.QUESTIONS}{folder}")
            data = tar.extractfile(member) if sample and member.isfile() else None
            if sample and data:
                hashed = HashedFile(cast(BinaryIO, data))
                for _ in hashed.pieces():
                    pass
                found.setdefault(sample, {})[name] = hashed.content
        # Gzip verifies its checksum at the end of the file, beyond what tarfile reads.
        while tar.fileobj and tar.fileobj.read(_CHUNK):
            pass
    return found


def _content(store: ObjectStore, key: str) -> FileContent:
    digest = sha256()

    def restart() -> None:
        nonlocal digest
        digest = sha256()

    got = reading.stream(store, key, lambda data: digest.update(data), restart)  # noqa: PLW0108 - it is another after a restart
    return FileContent(got.size, digest.digest())


def _empty(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()
