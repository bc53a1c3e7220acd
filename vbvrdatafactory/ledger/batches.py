"""The batches that made the samples of a generator, each with what it used."""

import polars as pl

from vbvrdatafactory.planning.batches import MeasuredBatch

_FLOATS = ("seconds", "certifying_seconds", "cpu_seconds")
_INTEGERS = ("memory_bytes", "worker_bytes", "disk_bytes", "objects", "stored_bytes", "function_mb")


def find_batches(rows: pl.DataFrame) -> tuple[MeasuredBatch, ...]:
    """The batches that workers measured, in order of time; one whose samples were all replaced since is not among them.

    Nor is one whose figures are no amounts: where the ledger lies others may write, too.

    Args:
        rows: the ledger of their generator.
    """
    measured = rows.filter(pl.col("usage").is_not_null())
    groups = (
        measured.group_by("receipt")
        .agg(
            pl.col("count").first().alias("samples"),
            pl.len().alias("stored"),
            pl.col("usage").first(),
            *(pl.col(name).first().fill_null("") for name in ("code", "environment", "worker")),
            pl.col("made_at").first(),
        )
        .unnest("usage")
        .filter(
            pl.all_horizontal(pl.col(_FLOATS).is_finite() & (pl.col(_FLOATS) >= 0), pl.col(_INTEGERS) >= 0)
            & (pl.col("side_by_side") > 0)
        )
        .sort("made_at", "receipt")
    )
    return tuple(MeasuredBatch(*row) for row in groups.select(MeasuredBatch._fields).iter_rows())
