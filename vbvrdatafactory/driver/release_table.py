"""What is wrong with the rows of ``metadata.parquet``, however many there are: read by Polars a part at a time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from vbvrdatafactory.ledger.schema import Part
from vbvrdatafactory.release.layout import COLUMNS, TABLE
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.release.shard_rules import Row
from vbvrdatafactory.release.traps import Finding, Trap

_SHOWN = 20


def column_problems(folder: Path) -> list[Finding]:
    """Columns that the table lacks; and that it is no table."""
    try:
        names = pl.read_parquet_schema(folder / TABLE).keys()
    except FileNotFoundError:
        return [Finding(Trap.MISSING_COLUMN, TABLE, "the file is missing")]
    except (pl.exceptions.PolarsError, OSError) as error:
        return [Finding(Trap.MISSING_COLUMN, TABLE, f"it is no Parquet file ({str(error)[:80]})")]
    return [
        Finding(Trap.MISSING_COLUMN, TABLE, f"it has no column {name!r}")
        for name in COLUMNS
        if name not in names
    ]


def rows_of(folder: Path, shard: str) -> dict[str, Row]:
    """The rows that name a shard, by key."""
    table = pl.scan_parquet(folder / TABLE).filter(pl.col("shard") == shard)
    found = table.select(Row._fields).collect()
    return {row[0]: Row(*row) for row in found.iter_rows()}


def row_problems(folder: Path, release: Release) -> Iterator[Finding]:
    """What is wrong with the rows, seen together."""
    table = pl.scan_parquet(folder / TABLE)
    for key, count in _repeated(table, "key", pl.len()):
        yield Finding(Trap.KEY_TWICE, TABLE, f"{key!r} is the key of {count} rows")
    for group, count in _repeated(table, "group", pl.col("split").n_unique()):
        yield Finding(Trap.GROUP_IN_TWO_SPLITS, TABLE, f"the group {group[:16]!r} is in {count} splits")
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


def ledger_problems(folder: Path, release: Release, read_part: Callable[[str], Part]) -> Iterator[Finding]:
    """Samples that the ledger of the bucket knows with other content, or does not know.

    Args:
        folder: the release's.
        release: its manifest.
        read_part: the ledger of a generator.
    """
    table = pl.scan_parquet(folder / TABLE)
    names = ("index", "digest", "metadata_digest")
    for share in release.generators:
        own = table.filter(pl.col("generator") == share.generator).select("key", *names).collect()
        known = read_part(share.generator).rows.select(names)
        joined = own.join(known, on="index", how="left", suffix="_known")
        differs = joined.filter(
            (pl.col("digest") != pl.col("digest_known")).fill_null(value=True)
            | (pl.col("metadata_digest") != pl.col("metadata_digest_known")).fill_null(value=False)
        )
        for key, is_known in (
            differs.select("key", pl.col("digest_known").is_not_null()).head(_SHOWN).iter_rows()
        ):
            what = "has other content in the ledger" if is_known else "is not in the ledger"
            yield Finding(Trap.LEDGER, TABLE, f"{key!r} {what}")


def _repeated(table: pl.LazyFrame, column: str, count: pl.Expr) -> list[tuple[str, int]]:
    """Values of a column for which `count` is above one. They are counted by a hash, as three million texts fill a memory."""
    hashed = pl.col(column).hash()
    suspects = table.group_by(hashed.alias("hash")).agg(count.alias("count")).filter(pl.col("count") > 1)
    few = suspects.head(_SHOWN).collect(engine="streaming")["hash"]
    if few.is_empty():
        return []
    told = table.filter(hashed.is_in(few.implode())).group_by(column).agg(count.alias("count"))
    return [*told.filter(pl.col("count") > 1).sort(column).collect().iter_rows()]
