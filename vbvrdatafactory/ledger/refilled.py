"""Counts samples that were made again: with the same content, or anew."""

import polars as pl

from vbvrdatafactory.planning.gaps import Refilled

_RUN = ("start", "count", "seed", "python_hash_seed", "salt", "code", "environment")


def refilled(before: pl.DataFrame, now: pl.DataFrame) -> Refilled:
    """How many samples have another receipt of the same run now, and of those how many their former content.

    Args:
        before: rows of a ledger.
        now: later rows of it.
    """
    columns = ["index", "receipt", "digest", *_RUN]
    both = now.select(columns).join(
        before.select(columns), on=["index", *_RUN], nulls_equal=True, suffix="_before"
    )
    again = both.filter(
        (pl.col("receipt") != pl.col("receipt_before")) & pl.col("digest_before").is_not_null()
    )
    restored = again.filter(pl.col("digest") == pl.col("digest_before")).height
    return Refilled(restored, again.height - restored)
