"""Further layouts of a release that is built: a list of paths, and tables with the files in them.

Both are made of the shards, one after the other, and say the real rate of each video.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import ObjectStore

from vbvrdatafactory.core.contract import FINAL_FRAME, FIRST_FRAME, METADATA, VIDEO
from vbvrdatafactory.driver.release_place import Place
from vbvrdatafactory.driver.release_reading import read_members, read_names, read_rows
from vbvrdatafactory.release.layout import COLUMNS, EXPORTED, EXPORTS, member, parquet_path
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.s3.listing import sizes

# Bytes of samples in a group of rows, about: who reads one holds it in memory.
_GROUP_BYTES = 64_000_000
_MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_COLUMNS = {
    "key": pa.string(),
    "generator": pa.string(),
    "task": pa.string(),
    "prompt": pa.string(),
    "first_frame": _MEDIA,
    "final_frame": _MEDIA,
    "video": _MEDIA,
    "fps": pa.float64(),
    "frames": pa.int32(),
    "width": pa.int32(),
    "height": pa.int32(),
    "metadata": pa.string(),
}
_OF_METADATA = tuple(name for name in _COLUMNS if name in COLUMNS)
_FEATURES = {"first_frame": "Image", "final_frame": "Image", "video": "Video"}


def export(place: Place, release: Release, layouts: Collection[str]) -> None:
    """Write these layouts of a release.

    Args:
        place: where it lies.
        release: its manifest.
        layouts: ``jsonl``, ``parquet``.
    """
    if "jsonl" in layouts:
        _write_paths(place, release)
    if "parquet" in layouts:
        write_tables(place, release)


def exported(store: ObjectStore) -> set[str]:
    """The layouts that were exported of the release that lies there."""
    names = {key.removeprefix(EXPORTS).partition("/")[0] for key, _ in sizes(store, EXPORTS)}
    return {layout for layout, folder in (("jsonl", "paths"), ("parquet", "parquet")) if folder in names}


def path_line(row: Mapping[str, Any], has: Collection[str]) -> str:
    """A sample as DiffSynth reads it: paths as they are once the shards are unpacked, each beside its shard.

    Args:
        row: of its metadata.
        has: names of the files that this sample has.
    """
    folder = row["shard"].rpartition("/")[0]
    paths = {
        column: f"{folder}/{member(row['key'], file)}"
        for column, file in (("video", VIDEO), ("input_image", FIRST_FRAME), ("end_image", FINAL_FRAME))
        if file in has
    }
    told = {name: row[name] for name in ("prompt", "fps", "frames", "width", "height", "key", "generator")}
    return json.dumps({**paths, **told}, ensure_ascii=False)


def _write_paths(place: Place, release: Release) -> None:
    """A file for each split; that of a split which the release no longer has goes."""
    store = place.store()
    # The metadata has its rows in the order of the shards.
    rows = (row for part in read_rows(store) for row in part.iter_rows(named=True))
    with place.scratch() as folder:
        files: dict[str, IO[str]] = {}
        try:
            for shard in release.shards:
                split = shard.split
                if split not in files:
                    files[split] = (folder / f"{split}.jsonl").open("w", encoding="utf-8")
                of_shard = islice(rows, shard.samples)
                for row, (_, has) in zip(of_shard, read_names(store, shard.path), strict=True):
                    files[split].write(path_line(row, has) + "\n")
        finally:
            for file in files.values():
                file.close()
        written = {f"{EXPORTS}paths/{split}.jsonl": folder / f"{split}.jsonl" for split in files}
        for path, written_file in written.items():
            place.take(written_file, path)
    if stale := [key for key, _ in sizes(store, f"{EXPORTS}paths/") if key not in written]:
        obstore.delete(store, stale)


def write_tables(place: Place, release: Release) -> None:
    """Write the samples of each shard as a table with their files in it; those that are there stay."""
    store = place.store()
    there = {key for key, _ in sizes(store, EXPORTS)}
    # The metadata has its rows in the order of the shards.
    rows = (row for part in read_rows(store, _OF_METADATA) for row in part.iter_rows(named=True))
    for shard in release.shards:
        of_shard = list(islice(rows, shard.samples))
        if parquet_path(shard.path) in there:
            continue
        with place.scratch() as folder:
            file = folder / "table.parquet"
            _write_table(file, of_shard, read_members(store, shard.path))
            place.take(file, parquet_path(shard.path))


def _write_table(
    file: Path, rows: Iterable[dict[str, Any]], samples: Iterator[tuple[str, dict[str, bytes]]]
) -> None:
    schema = pa.schema(list(_COLUMNS.items()), metadata={"huggingface": _features()})
    # Pictures and videos are compressed already.
    with pq.ParquetWriter(
        file, schema, compression={name: "none" if name in EXPORTED else "zstd" for name in _COLUMNS}
    ) as writer:
        held: list[dict[str, Any]] = []
        size = 0
        for row, (key, files) in zip(rows, samples, strict=True):
            media = {
                column: {"bytes": files[name], "path": member(key, name)} if name in files else None
                for column, name in EXPORTED.items()
            }
            held.append({**row, **media, "metadata": files.get(METADATA, b"").decode(errors="replace")})
            size += sum(map(len, files.values()))
            if size >= _GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(held, schema=schema))
                held, size = [], 0
        if held:
            writer.write_table(pa.Table.from_pylist(held, schema=schema))


def _features() -> str:
    """What the columns are to `datasets`."""
    features = {
        name: {"_type": _FEATURES[name]} if name in _FEATURES else {"dtype": _dtype(kind), "_type": "Value"}
        for name, kind in _COLUMNS.items()
    }
    return json.dumps({"info": {"features": features}})


def _dtype(kind: pa.DataType) -> str:
    return {"double": "float64"}.get(str(kind), str(kind))
