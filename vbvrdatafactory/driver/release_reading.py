"""Reads a release: its manifest, its metadata a piece at a time, and single samples in its shards.

A release is read through a store, whether it is a folder here or lies below a prefix of a bucket.
"""

import io
import tarfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import IO, Any, cast

import obstore
import polars as pl
import pyarrow.parquet as pq
from obstore.store import ObjectStore

from vbvrdatafactory.core.errors import UnreadableRecordError
from vbvrdatafactory.release.layout import COLUMNS, MANIFEST, MEMBERS, TABLE, member
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.s3 import records

# Rows of ``metadata.parquet`` at once; prompts are some hundred bytes.
_ROWS = 50_000
# Of a shard, read at once: most samples are smaller.
_BUFFER = 1024 * 1024


def read_release(store: ObjectStore) -> Release:
    """The manifest of the release in `store`.

    Raises:
        UnreadableRecordError: there is none, or it can't be read.
    """
    release = records.read(store, MANIFEST, Release)
    if release is None:
        raise UnreadableRecordError(
            f"{MANIFEST} is missing, so this is no release; 'datafactory release build' makes one"
        )
    return release


def columns_of(store: ObjectStore) -> list[str]:
    """Names of the columns of ``metadata.parquet``."""
    return list(_open(store).schema_arrow.names)


def read_rows(store: ObjectStore, columns: Sequence[str] = tuple(COLUMNS)) -> Iterator[pl.DataFrame]:
    """Rows of ``metadata.parquet``, some ten thousand at a time.

    Raises:
        UnreadableRecordError: it is missing, or no Parquet file.
    """
    for batch in _open(store).iter_batches(_ROWS, columns=list(columns)):
        yield cast(pl.DataFrame, pl.from_arrow(batch))


def read_sample(store: ObjectStore, shard: str, offset: int, key: str) -> dict[str, bytes]:
    """The files of one sample by name, read from its place in a shard.

    Args:
        store: the release.
        shard: path of the shard.
        offset: where the sample's first member begins in it, in bytes.
        key: the sample's.
    """
    found: dict[str, bytes] = {}
    names = {member(key, file): file for file in MEMBERS}
    file = io.BufferedReader(_File(store, shard), _BUFFER)
    file.seek(offset)
    with tarfile.open(fileobj=cast(IO[bytes], file), mode="r:") as tar:
        for entry in tar:
            data = tar.extractfile(entry) if entry.name in names else None
            if data is None:
                break
            found[names[entry.name]] = data.read()
    return found


def read_members(store: ObjectStore, shard: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Key and files of each sample of a shard, from its begin to its end."""
    key, found = "", dict[str, bytes]()
    file = io.BufferedReader(_File(store, shard), _BUFFER)
    with tarfile.open(fileobj=cast(IO[bytes], file), mode="r|") as tar:
        for entry in tar:
            name, _, of_sample = entry.name.partition(".")
            if name != key and found:
                yield key, found
                found = {}
            key, data = name, tar.extractfile(entry)
            found[of_sample] = data.read() if data else b""
    if found:
        yield key, found


def read_names(store: ObjectStore, shard: str) -> Iterator[tuple[str, set[str]]]:
    """Key and names of the files of each sample of a shard; only headers are read."""
    file = io.BufferedReader(_File(store, shard), _BUFFER)
    with tarfile.open(fileobj=cast(IO[bytes], file), mode="r:") as tar:
        split = (entry.name.partition(".") for entry in tar)
        for key, parts in groupby(split, key=lambda part: part[0]):
            yield key, {name for _, _, name in parts}


class _File(io.RawIOBase):
    """An object as a file of Python; obstore's own lacks what pyarrow asks of one."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        self._reader = obstore.open_reader(store, path)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._reader.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._reader.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - anything with a buffer
        data = bytes(self._reader.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)


def _open(store: ObjectStore) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(_File(store, TABLE))
    except FileNotFoundError as error:
        raise UnreadableRecordError(f"{TABLE} is missing; 'datafactory release build' makes it") from error
    except OSError as error:
        raise UnreadableRecordError(f"{TABLE} can't be read ({error}); build the release again") from error
    except ValueError as error:
        raise UnreadableRecordError(
            f"{TABLE} is no Parquet file ({error}); build the release again"
        ) from error
