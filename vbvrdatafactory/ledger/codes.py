"""Groups the samples of a generator by the code that made them."""

import polars as pl

from vbvrdatafactory.planning.codes import Code

_MOST_GROUPS = 10


def find_codes(rows: pl.DataFrame, planned: int) -> tuple[Code, ...]:
    """The codes that made the planned samples which are there as recorded, the commonest first.

    Args:
        rows: the ledger of their generator, and whether all objects of a sample are in the listing (``matched``).
        planned: how many samples are planned.
    """
    groups = (
        rows.filter("matched", pl.col("code").is_not_null(), pl.col("index") < planned)
        .group_by("code", "commit")
        .agg(pl.len().alias("samples"))
        .with_columns(pl.col("commit").fill_null(""))
        .sort("samples", "code", "commit", descending=[True, False, False])
    )
    return tuple(Code.model_validate(row) for row in groups.head(_MOST_GROUPS).iter_rows(named=True))
