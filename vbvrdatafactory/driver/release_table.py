"""What is wrong with the rows of ``metadata.parquet``, however many there are: read by Polars a part at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from vbvrdatafactory.release.layout import COLUMNS, TABLE
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.release.shard_rules import Row
from vbvrdatafactory.release.table import SCHEMA
from vbvrdatafactory.release.traps import Finding, Trap

_SHOWN = 20
_ALWAYS_THERE = ("key", "generator", "split", "shard", "offset", "digest", "group")


def column_problems(folder: Path) -> list[Finding]:
    """Columns that the table lacks; and that it is no table."""
    try:
        names = pl.read_parquet_schema(folder / TABLE)
    except FileNotFoundError:
        return [Finding(Trap.MISSING_COLUMN, TABLE, "the file is missing")]
    except (pl.exceptions.PolarsError, OSError) as error:
        return [Finding(Trap.MISSING_COLUMN, TABLE, f"it is no Parquet file ({str(error)[:80]})")]
    lacking = [f"it has no column {name!r}" for name in COLUMNS if name not in names]
    other = [
        f"its column {name!r} is of {names[name]}, not of {kind}"
        for name, kind in SCHEMA.items()
        if name in names and not _is_like(names[name], kind)
    ]
    return [Finding(Trap.MISSING_COLUMN, TABLE, what) for what in (*lacking, *other)]


def _is_like(found: pl.DataType, kind: pl.DataType) -> bool:
    return found in (kind, pl.Null) or (found.is_numeric() and kind.is_numeric())


def rows_of(folder: Path, shard: str) -> dict[str, Row]:
    """The rows that name a shard, by key."""
    found = only_columns(folder, Row._fields, pl.col("shard") == shard).with_columns(
        pl.col("digest", "metadata_digest").fill_null(""), pl.col("offset").fill_null(-1)
    )
    return {row[0]: Row(*row) for row in found.iter_rows()}


def row_problems(folder: Path, release: Release) -> Iterator[Finding]:
    """What is wrong with the rows, seen together."""
    table = pl.scan_parquet(folder / TABLE)
    for name in _ALWAYS_THERE:
        empty = table.select(pl.col(name).is_null().sum()).collect().item()
        if empty:
            yield Finding(Trap.MISSING_COLUMN, TABLE, f"{empty:,} rows have no {name}")
    yield from _count_problems(table, release)
    for key, count in _repeated(table, "key", pl.len()):
        yield Finding(Trap.KEY_TWICE, TABLE, f"{key!r} is the key of {count} rows")
    yield from _split_problems(table)
    without = table.filter((pl.col("frames") > 0) & ~(pl.col("fps") > 0).fill_null(value=False))
    for (key,) in without.select("key").head(_SHOWN).collect().iter_rows():
        yield Finding(Trap.FPS_MISSING, TABLE, f"{key!r} has frames and no fps")
    counts = dict(table.group_by("split").len().collect().iter_rows())
    if counts != {split: count for split, count in release.splits.items() if count}:
        yield Finding(Trap.WRONG_COUNT, TABLE, f"its splits have {counts} rows, not {release.splits}")
    shards = {shard.path for shard in release.shards}
    named = set(table.select(pl.col("shard").unique()).collect()["shard"])
    for path in sorted(named - shards):
        yield Finding(Trap.MISSING_SHARD, TABLE, f"rows name {path!r}, which the manifest lacks")


def _count_problems(table: pl.LazyFrame, release: Release) -> Iterator[Finding]:
    """Generators of which there are other rows, or other puzzles, than the manifest says; and samples that it says were left out."""
    groups = pl.col("group").hash().n_unique()
    each = table.group_by("generator").agg(pl.len(), groups.alias("groups")).collect(engine="streaming")
    there = {name: (count, distinct) for name, count, distinct in each.iter_rows()}
    said = {share.generator: (share.samples, share.distinct) for share in release.generators}
    for name in sorted(name for name in said.keys() | there.keys() if name is not None):
        (count, distinct), (samples, different) = there.get(name, (0, 0)), said.get(name, (0, 0))
        if count != samples:
            yield Finding(Trap.WRONG_COUNT, TABLE, f"it has {count:,} rows of {name!r}, not {samples:,}")
        elif distinct != different:
            what = f"its rows of {name!r} are of {distinct:,} groups, not {different:,}"
            yield Finding(Trap.WRONG_COUNT, TABLE, what)
    for digest, count in _repeated(table, "digest", pl.col("group").n_unique()):
        what = f"the content {digest[:16]!r} is in {count} groups, and counts as so many puzzles"
        yield Finding(Trap.WRONG_COUNT, TABLE, what)
    removed = pl.LazyFrame({"key": [one.key for one in release.decontaminated]}, schema={"key": pl.String})
    for (key,) in table.select("key").join(removed, on="key", how="semi").head(_SHOWN).collect().iter_rows():
        yield Finding(
            Trap.WRONG_COUNT,
            TABLE,
            f"{key!r} is there, and was left out for a benchmark, as release.json says",
        )


def _split_problems(table: pl.LazyFrame) -> Iterator[Finding]:
    """Equal puzzles that several splits have: by group, by content, or by what their generator says."""
    for group, count in _repeated(table, "group", pl.col("split").n_unique()):
        yield Finding(Trap.GROUP_IN_TWO_SPLITS, TABLE, f"the group {group[:16]!r} is in {count} splits")
    for digest, count in _repeated(table, "digest", pl.col("split").n_unique()):
        yield Finding(Trap.GROUP_IN_TWO_SPLITS, TABLE, f"the content {digest[:16]!r} is in {count} splits")
    hashed = table.filter(pl.col("param_hash").is_not_null())
    puzzle = pl.concat_str("generator", pl.lit(" with param_hash "), "param_hash").alias("puzzle")
    for told, count in _repeated(hashed.with_columns(puzzle), "puzzle", pl.col("split").n_unique()):
        yield Finding(Trap.GROUP_IN_TWO_SPLITS, TABLE, f"{told[:100]} is in {count} splits")


def only_columns(folder: Path, columns: Sequence[str], chosen: pl.Expr) -> pl.DataFrame:
    """Some columns of the rows that are chosen."""
    return pl.scan_parquet(folder / TABLE).filter(chosen).select(columns).collect()


def _repeated(table: pl.LazyFrame, column: str, count: pl.Expr) -> list[tuple[str, int]]:
    """Values of a column for which `count` is above one. They are counted by a hash, as three million texts fill a memory."""
    # A row that lacks it is named for that.
    table = table.filter(pl.col(column).is_not_null())
    hashed = pl.col(column).hash()
    suspects = table.group_by(hashed.alias("hash")).agg(count.alias("count")).filter(pl.col("count") > 1)
    few = suspects.head(_SHOWN).collect(engine="streaming")["hash"]
    if few.is_empty():
        return []
    told = table.filter(hashed.is_in(few.implode())).group_by(column).agg(count.alias("count"))
    return [*told.filter(pl.col("count") > 1).sort(column).collect().iter_rows()]
