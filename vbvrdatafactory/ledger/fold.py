"""Folds receipts into a part of the ledger: of several rows for one sample the one in force, by what lies in the bucket."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import polars as pl

from vbvrdatafactory.ledger.schema import Part


class Matched(NamedTuple):
    """Rows of a ledger beside a listing.

    Args:
        rows: one row a sample, and whether all its objects are in the listing (``matched``).
        others: objects of the listing that are in none of these rows: ``key``, ``size``, ``e_tag``.
    """

    rows: pl.DataFrame
    others: pl.DataFrame


def match(rows: Iterable[pl.DataFrame], listed: pl.DataFrame) -> Matched:
    """Choose the row in force for each sample: the latest whose objects are in the bucket, else the latest.

    Args:
        rows: rows of the ledger, and rows of further receipts; several may be about one sample.
        listed: the generator's objects, archives too: key, size and ETag.
    """
    candidates = pl.concat(rows).with_row_index("row")
    held = candidates.select("row", "objects").drop_nulls().explode("objects").unnest("objects")
    absent = held.join(listed, on=["key", "size", "e_tag"], how="anti").get_column("row").unique()
    is_matched = pl.col("objects").is_not_null() & ~pl.col("row").is_in(absent.implode())
    chosen = (
        candidates.with_columns(is_matched.alias("matched"))
        .sort("index", "matched", "made_at", "receipt")
        .unique("index", keep="last", maintain_order=True)
    )
    mine = chosen.filter("matched").select("objects").explode("objects").unnest("objects")
    others = listed.join(mine, on=["key", "size", "e_tag"], how="anti")
    return Matched(chosen.drop("row"), others)


def fold(part: Part, matched: pl.DataFrame, receipts: Collection[str]) -> Part:
    """The part with these rows in force, and these receipts folded besides; copies are marked."""
    rows = matched.drop("matched").drop("copy_of")
    return Part(with_copies(rows), part.folded | frozenset(receipts))


def with_copies(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with ``copy_of``: the first index with the same content, where that is another."""
    first = pl.col("index").min().over("digest")
    is_copy = pl.col("digest").is_not_null() & (first != pl.col("index"))
    return rows.with_columns(pl.when(is_copy).then(first).alias("copy_of"))
