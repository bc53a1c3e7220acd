"""Changes a release that is out: rebuilds the shards that hold the samples in question, and no other one.

What stays of such a shard is copied from it; what is replaced is read from the dataset's bucket. What is new is made beside the release, its
manifest last, and then put in place: a call that was ended there is ended by the next one.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import obstore
import polars as pl
import pyarrow.parquet as pq
from obstore.store import ObjectStore

from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.driver.release_build import put_manifest
from vbvrdatafactory.driver.release_card import describe
from vbvrdatafactory.driver.release_export import export, exported
from vbvrdatafactory.driver.release_finish import delete_build
from vbvrdatafactory.driver.release_place import NEXT, Place
from vbvrdatafactory.driver.release_reading import read_members, read_release, read_rows
from vbvrdatafactory.driver.release_samples import Files, Row, Source, is_archived, read_whole, unpack
from vbvrdatafactory.driver.release_shard import Written, write_shard
from vbvrdatafactory.release.layout import COLUMNS, MANIFEST, TABLE, parquet_path
from vbvrdatafactory.release.manifest import Release, ShardFile
from vbvrdatafactory.release.revision import Changes, revised, shards_of
from vbvrdatafactory.release.table import SCHEMA
from vbvrdatafactory.s3 import reading
from vbvrdatafactory.s3.listing import sizes

# What decides which shards change and what the manifest says of the rest.
_SHORT = (
    *("key", "generator", "index", "split", "shard", "digest", "param_hash", "group"),
    *("task", "code", "commit", "environment"),
)
_SCHEMA = SCHEMA.to_frame().to_arrow().schema
# What only the files of a sample say.
_UNSAID: Row = {"parameters": "", "param_hash": None}


def read_short(store: ObjectStore) -> pl.DataFrame:
    """What decides about a change, of every sample of a release."""
    return pl.concat([*read_rows(store, _SHORT)])


def change_release(  # noqa: PLR0913 - what, where, and from where
    target: Place,
    release: Release,
    changes: Changes,
    source: ObjectStore,
    ledger: Mapping[str, Row],
    now: datetime,
) -> Release:
    """Withdraw or replace samples of a release; returns the next revision.

    Args:
        target: where it lies.
        release: its manifest.
        changes: what is withdrawn and replaced.
        source: the dataset's bucket, below its prefix.
        ledger: of samples that are replaced the ledger's rows, by key.
        now: the time.

    Raises:
        ReleaseError: it has no such sample, or one that is to be read is not what the ledger says.
    """
    store = target.store()
    short = read_short(store)
    # Of a change that was ended before its manifest was there: its shards are of no revision.
    if stale := [key for key, _ in sizes(store, NEXT)]:
        obstore.delete(store, stale)
    paths = {*shards_of(short, changes.keys)}
    if changes.withdrawn.issuperset(short["key"]):
        raise ReleaseError("nothing would be left of the release; delete it instead")
    was = {shard.path: shard for shard in release.shards}
    shards: dict[str, ShardFile | None] = {}
    kept: list[pl.DataFrame] = []
    with target.scratch() as folder:
        table = folder / TABLE
        with pq.ParquetWriter(table, _SCHEMA, compression="zstd", write_page_index=True) as writer:
            for path, rows in _by_shard(store):
                left = rows
                if path in paths:
                    file = folder / "shard.tar"
                    samples = _samples(store, folder, path, rows, changes, source, ledger)
                    written = write_shard(file, samples)
                    shards[path], left = _shard_file(was[path], written), written.rows
                    if written.samples:
                        target.take(file, f"{NEXT}{path}")
                if left.height:
                    writer.write_table(left.select(*COLUMNS).to_arrow().cast(_SCHEMA))
                    kept.append(left.select(_SHORT))
        target.take(table, f"{NEXT}{TABLE}")
    now_there = pl.concat(kept) if kept else short.clear()
    after = revised(release, changes, shards, now_there, now)
    obstore.put(store, f"{NEXT}{MANIFEST}", after.model_dump_json().encode())
    finish_change(target)
    return after


def finish_change(target: Place) -> Release | None:
    """Put the next revision in its place where one was made; None where there is none."""
    store = target.store()
    try:
        after = Release.model_validate_json(reading.read(store, f"{NEXT}{MANIFEST}").data)
    except FileNotFoundError:
        return None
    before = read_release(store)
    changed = {key.removeprefix(NEXT) for key, _ in sizes(store, NEXT)} - {MANIFEST}
    gone = {shard.path for shard in before.shards} - {shard.path for shard in after.shards}
    layouts = exported(store)
    for path in sorted(changed):
        obstore.rename(store, f"{NEXT}{path}", path)
    for shard in before.shards:
        if shard.path in gone:
            _delete(store, shard.path)
        if shard.path in gone or shard not in after.shards:
            _delete(store, parquet_path(shard.path))
    export(target, after, layouts)
    describe(store, after)
    put_manifest(target, after)
    delete_build(target)
    return after


def _by_shard(store: ObjectStore) -> Iterator[tuple[str, pl.DataFrame]]:
    """The metadata of each shard, in their order."""
    held, parts = "", list[pl.DataFrame]()
    for read in read_rows(store):
        for (path,), rows in read.group_by("shard", maintain_order=True):
            if path != held and parts:
                yield held, pl.concat(parts)
                parts = []
            held = str(path)
            parts.append(rows)
    if parts:
        yield held, pl.concat(parts)


def _samples(  # noqa: PLR0913 - of which shard, and from where
    store: ObjectStore,
    folder: Path,
    path: str,
    rows: pl.DataFrame,
    changes: Changes,
    source: ObjectStore,
    ledger: Mapping[str, Row],
) -> Iterator[tuple[Row, Files]]:
    """The samples of a shard as they are to be, in their order."""
    of_key = {row["key"]: row for row in rows.iter_rows(named=True)}
    for key, files in read_members(store, path):
        if key in changes.withdrawn:
            continue
        if key in changes.replaced:
            told = {**of_key[key], **_UNSAID, **ledger[key], "shard": path}
            yield told, _read_new(source, folder, ledger[key])
        else:
            yield of_key[key], files


def _read_new(source: ObjectStore, folder: Path, row: Row) -> Files:
    if is_archived(row):
        unpack(source, row["objects"][0]["key"], {row["index"]: row["task"]}, folder)
    return read_whole(Source(source, folder), row)


def _shard_file(shard: ShardFile, written: Written) -> ShardFile | None:
    if not written.samples:
        return None
    return shard.model_copy(
        update={"samples": written.samples, "bytes": written.bytes, "sha256": written.sha256}
    )


def _delete(store: ObjectStore, path: str) -> None:
    with suppress(FileNotFoundError):
        obstore.delete(store, path)
