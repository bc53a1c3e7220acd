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
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import ObjectStore

from vbvrdatafactory.driver.release_build import put_manifest
from vbvrdatafactory.driver.release_export import export, exported
from vbvrdatafactory.driver.release_finish import delete_build
from vbvrdatafactory.driver.release_place import BUILD, Place
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
# The next revision, until it is in place.
_NEXT = f"{BUILD}next/"


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
    paths = shards_of(short, changes.keys)
    with target.scratch() as folder:
        built: dict[str, Written] = {}
        for number, path in enumerate(paths):
            file = folder / f"{number}.tar"
            built[path] = write_shard(file, _samples(store, folder, path, changes, source, ledger))
            if built[path].samples:
                target.take(file, f"{_NEXT}{path}")
        table = folder / TABLE
        _write_table(store, table, built)
        target.take(table, f"{_NEXT}{TABLE}")
    shards = {
        shard.path: _shard_file(shard, built[shard.path]) for shard in release.shards if shard.path in built
    }
    kept = short.filter(~pl.col("shard").is_in(paths))
    rows = pl.concat([kept, *(written.rows.select(_SHORT) for written in built.values())])
    after = revised(release, changes, shards, rows, now)
    obstore.put(store, f"{_NEXT}{MANIFEST}", after.model_dump_json().encode())
    finish_change(target)
    return after


def finish_change(target: Place) -> Release | None:
    """Put the next revision in its place where one was made; None where there is none."""
    store = target.store()
    try:
        after = Release.model_validate_json(reading.read(store, f"{_NEXT}{MANIFEST}").data)
    except FileNotFoundError:
        return None
    before = read_release(store)
    changed = {key.removeprefix(_NEXT) for key, _ in sizes(store, _NEXT)} - {MANIFEST}
    gone = {shard.path for shard in before.shards} - {shard.path for shard in after.shards}
    layouts = exported(store)
    for path in sorted(changed):
        obstore.rename(store, f"{_NEXT}{path}", path)
    for shard in before.shards:
        if shard.path in gone:
            _delete(store, shard.path)
        if shard.path in gone or shard not in after.shards:
            _delete(store, parquet_path(shard.path))
    export(target, after, layouts)
    put_manifest(target, after)
    delete_build(target)
    return after


def _samples(  # noqa: PLR0913 - of which shard, and from where
    store: ObjectStore,
    folder: Path,
    path: str,
    changes: Changes,
    source: ObjectStore,
    ledger: Mapping[str, Row],
) -> Iterator[tuple[Row, Files]]:
    """The samples of a shard as they are to be, in their order."""
    rows = {
        row["key"]: row for part in read_rows(store) for row in part.filter(shard=path).iter_rows(named=True)
    }
    for key, files in read_members(store, path):
        if key in changes.withdrawn:
            continue
        if key in changes.replaced:
            told = {**rows[key], **ledger[key], "shard": path}
            yield told, _read_new(source, folder, ledger[key])
        else:
            yield rows[key], files


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


def _write_table(store: ObjectStore, file: Path, built: Mapping[str, Written]) -> None:
    """The metadata with the rows of rebuilt shards in the place of theirs."""
    schema = SCHEMA.to_frame().to_arrow().schema
    written: set[str] = set()
    with pq.ParquetWriter(file, schema, compression="zstd", write_page_index=True) as writer:
        for part in read_rows(store):
            for (path,), rows in part.group_by("shard", maintain_order=True):
                shard = str(path)
                if shard not in built:
                    writer.write_table(_arrow(rows, schema))
                elif shard not in written and built[shard].samples:
                    writer.write_table(_arrow(built[shard].rows, schema))
                written.add(shard)


def _arrow(rows: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    return rows.select(*COLUMNS).to_arrow().cast(schema)


def _delete(store: ObjectStore, path: str) -> None:
    with suppress(FileNotFoundError):
        obstore.delete(store, path)
