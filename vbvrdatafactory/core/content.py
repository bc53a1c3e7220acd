"""What tells one sample's content from another's: a digest of its frames, its prompt and its video.

Metadata has a digest of its own: it may hold the time of day, or an id that counts within its batch.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import BinaryIO, NamedTuple

from vbvrdatafactory.core.contract import FINAL_FRAME, FIRST_FRAME, PROMPT, VIDEO

CONTENT_FILES = (FIRST_FRAME, FINAL_FRAME, PROMPT, VIDEO)
_PIECE = 1024 * 1024


class FileContent(NamedTuple):
    """Size in bytes and SHA-256 of one file."""

    size: int
    sha256: bytes

    @classmethod
    def of(cls, data: bytes) -> "FileContent":
        """That of a file that holds `data`."""
        return cls(len(data), sha256(data).digest())


def content_digest(files: Mapping[str, FileContent]) -> str:
    """SHA-256, in hex, of a sample's content: name, size and SHA-256 of each of `CONTENT_FILES` that it has.

    Args:
        files: a sample's files by name; others than `CONTENT_FILES` change nothing.
    """
    return _digest(files, [name for name in CONTENT_FILES if name in files])


def metadata_digest(files: Mapping[str, FileContent]) -> str:
    """SHA-256, in hex, of all the other files of a sample; empty where it has none."""
    names = sorted(files.keys() - set(CONTENT_FILES))
    return _digest(files, names) if names else ""


def _digest(files: Mapping[str, FileContent], names: Sequence[str]) -> str:
    digest = sha256()
    for name in names:
        digest.update(f"{name}\0{files[name].size}\0".encode() + files[name].sha256)
    return digest.hexdigest()


class HashedFile:
    """An open file whose content is known when it has been read to its end, so that nobody reads it twice."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = sha256()
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, as of any file."""
        data = self._file.read(size)
        self._digest.update(data)
        self._size += len(data)
        return data

    def pieces(self) -> Iterator[bytes]:
        """The file, a mebibyte at a time."""
        while data := self.read(_PIECE):
            yield data

    @property
    def content(self) -> FileContent:
        """What was read so far."""
        return FileContent(self._size, self._digest.digest())
