"""Groups the samples of a generator by the rate and the size of their videos."""

import polars as pl

from vbvrdatafactory.planning.videos import Videos

_MOST_GROUPS = 10


def find_videos(rows: pl.DataFrame, planned: int) -> tuple[Videos, ...]:
    """The commonest rates and sizes among the planned samples' videos, as far as they were measured.

    Args:
        rows: the ledger of their generator.
        planned: how many samples are planned.
    """
    groups = (
        rows.filter(pl.col("fps").is_not_null() & (pl.col("index") < planned))
        .group_by("fps", "width", "height")
        .agg(
            pl.col("frames").min().alias("least_frames"),
            pl.col("frames").max().alias("most_frames"),
            pl.len().alias("samples"),
        )
        .sort("samples", "fps", "width", "height", descending=[True, False, False, False])
    )
    return tuple(Videos.model_validate(row) for row in groups.head(_MOST_GROUPS).iter_rows(named=True))
