"""Files of a release, in a folder here or below a prefix of a bucket: written, and their sizes and SHA-256."""

from hashlib import sha256

import obstore
from obstore.store import LocalStore, ObjectStore

from vbvrdatafactory.core.content import FileContent

_CHUNK = 4 * 1024 * 1024
_TYPES = {
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".tar": "application/x-tar",
}


def content_type(path: str) -> str:
    """The content type of a file of a release, by its name.

    >>> content_type("data/train/train-00000.tar")
    'application/x-tar'
    """
    return next(
        (kind for ending, kind in _TYPES.items() if path.endswith(ending)), "application/octet-stream"
    )


def put(store: ObjectStore, path: str, data: bytes) -> None:
    """Write a small file, whole or not at all."""
    # obstore refuses attributes in a folder.
    kept = None if isinstance(store, LocalStore) else {"Content-Type": content_type(path)}
    obstore.put(store, path, data, attributes=kept)


def content_of(store: ObjectStore, path: str) -> FileContent:
    """Size and SHA-256 of a file, read a piece at a time.

    Raises:
        FileNotFoundError: it does not exist.
    """
    digest, size = sha256(), 0
    for chunk in obstore.get(store, path).stream(min_chunk_size=_CHUNK):
        piece = bytes(chunk)
        digest.update(piece)
        size += len(piece)
    return FileContent(size, digest.digest())
