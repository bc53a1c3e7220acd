"""Builds one shard: reads its samples in their order, and writes its tar and the rows of its metadata."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import obstore
import polars as pl
from obstore.store import ObjectStore
from pydantic import BaseModel, ConfigDict, ValidationError

from vbvrdatafactory.core.contract import METADATA, QUESTION_METADATA
from vbvrdatafactory.driver.release_place import BUILD, Place
from vbvrdatafactory.driver.release_samples import TOGETHER, Files, Row, Source, in_order, read_whole
from vbvrdatafactory.release import tar
from vbvrdatafactory.release.layout import MEMBERS, SHARDS, member
from vbvrdatafactory.release.manifest import ShardFile
from vbvrdatafactory.release.table import SCHEMA, row_of
from vbvrdatafactory.s3 import reading

# Another layout of the rows has another number.
_LAYOUT = 2
# Rows of the job in memory at a time.
_ROWS = 1000
# A sample below it is a small one.
_SMALL_BYTES = 100_000
# Of a shard, written at once.
_BUFFER = 1024 * 1024


class Job(NamedTuple):
    """A shard that is to be built.

    Args:
        path: of the shard in the release.
        split: its split.
        fingerprint: digest of what it is to hold.
        rows: a Parquet file on this machine: of each sample, in order, the ledger's row, ``key``, ``split``, ``shard``
            and ``group``.
        unpacked: a folder with those of its samples that lie in archives; None where there are none.
    """

    path: str
    split: str
    fingerprint: str
    rows: Path
    unpacked: Path | None = None


class Built(BaseModel):
    """The record of a shard that was built, until the release is whole; `layout` is of its rows, and 1 where it does not say."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    fingerprint: str
    shard: ShardFile
    layout: int = 1


class Written(NamedTuple):
    """A shard as a file on this machine, and the rows of its metadata."""

    samples: int
    bytes: int
    sha256: str
    rows: pl.DataFrame


def shard_path(split: str, number: int) -> str:
    """The path of a shard in a release.

    >>> shard_path("train", 7)
    'data/train/train-00007.tar'
    """
    return f"{SHARDS}{split}/{split}-{number:05d}.tar"


def record_path(path: str) -> str:
    """The path of the record of a built shard."""
    return f"{BUILD}{path.removeprefix(SHARDS)}.json"


def rows_path(path: str) -> str:
    """The path of the metadata of a built shard."""
    return f"{BUILD}{path.removeprefix(SHARDS)}.parquet"


def read_built(store: ObjectStore, path: str) -> Built | None:
    """The record of a shard that is there as it was built; None where it is not."""
    try:
        built = Built.model_validate_json(reading.read(store, record_path(path)).data)
        held = obstore.head(store, path)["size"]
        obstore.head(store, rows_path(path))
    except (FileNotFoundError, ValidationError):
        return None
    return built if (held, built.layout) == (built.shard.bytes, _LAYOUT) else None


def build_shard(source: Source, target: Place, scratch: Path, job: Job) -> ShardFile:
    """Build a shard and put it in its place; its record comes last, so that it is there only for a whole one.

    Raises:
        ReleaseError: a sample is not what the ledger says.
    """
    file = scratch / f"{job.split}-{job.path.rpartition('/')[2]}"

    def read(row: Row) -> tuple[Row, Files]:
        return row, read_whole(source, row)

    table = pl.read_parquet(job.rows)
    together = TOGETHER if _mean_bytes(table) < _SMALL_BYTES else 1
    written = write_shard(file, in_order(read, _rows(table), together))
    shard = ShardFile(
        path=job.path, split=job.split, samples=written.samples, bytes=written.bytes, sha256=written.sha256
    )
    rows = file.with_suffix(".parquet")
    written.rows.write_parquet(rows)
    target.take(file, job.path)
    target.take(rows, rows_path(job.path))
    record = Built(fingerprint=job.fingerprint, shard=shard, layout=_LAYOUT)
    obstore.put(target.store(), record_path(job.path), record.model_dump_json().encode())
    return shard


def write_shard(file: Path, samples: Iterator[tuple[Row, Files]]) -> Written:
    """Write a shard with these samples, in this order.

    Args:
        file: where to.
        samples: of each the ledger's row, ``key``, ``split``, ``shard`` and ``group``; and its files.
    """
    digest, size = sha256(), 0
    rows: list[dict[str, Any]] = []
    with file.open("wb", _BUFFER) as out:

        def write(piece: bytes) -> None:
            nonlocal size
            digest.update(piece)
            size += out.write(piece)

        for row, files in samples:
            rows.append(row_of(row, files, size))
            held = {METADATA: files[QUESTION_METADATA]} if QUESTION_METADATA in files else {}
            held.update(files)
            for name in MEMBERS:
                if (data := held.get(name)) is not None:
                    write(tar.header(member(row["key"], name), len(data)))
                    write(data)
                    write(tar.padding(len(data)))
        write(tar.end(size))
    return Written(len(rows), size, digest.hexdigest(), pl.DataFrame(rows, schema=SCHEMA))


def _mean_bytes(table: pl.DataFrame) -> float:
    """Of what is listed for a sample; of an archive's it is too much, which only takes them one by one."""
    return float(
        table.select(pl.col("objects").list.eval(pl.element().struct.field("size")).list.sum().mean()).item()
        or 0
    )


def _rows(table: pl.DataFrame) -> Iterator[Row]:
    for part in table.iter_slices(_ROWS):
        yield from part.iter_rows(named=True)
