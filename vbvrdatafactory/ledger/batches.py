"""The batches that made the samples of a generator, each with what it used."""

import polars as pl

from vbvrdatafactory.planning.batches import MeasuredBatch


def find_batches(rows: pl.DataFrame) -> tuple[MeasuredBatch, ...]:
    """The batches that workers measured, in order of time; one whose samples were all replaced since is not among them.

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
        .sort("made_at", "receipt")
    )
    return tuple(MeasuredBatch(*row) for row in groups.select(MeasuredBatch._fields).iter_rows())
