"""The order of samples in a release: which shard each is in, and at which place.

Each generator's samples are spread evenly over the whole of a split, so that any part of it has the mix of the whole; within
a shard their order is random.
"""

import numpy as np
import polars as pl

from vbvrdatafactory.release.mixing import mix, word

SHARD_BYTES = 1_000_000_000


def arrange(samples: pl.DataFrame, seed: int, shard_bytes: int = SHARD_BYTES) -> pl.DataFrame:
    """The samples in their order, with ``shard``, the number of the shard in its split.

    Args:
        samples: ``generator``, ``index``, ``content``, ``split``, and ``bytes`` that each takes in a shard.
        seed: the release's.
        shard_bytes: shards have about as many.
    """
    if samples.is_empty():
        return samples.with_columns(pl.lit(0, pl.Int64).alias("shard"))
    each = samples["content"].to_numpy() + mix(samples["index"].to_numpy().astype(np.uint64), "index")
    drawn = samples.with_columns(
        pl.Series("drawn", mix(each, f"order {seed}")), pl.Series("within", mix(each, f"shard {seed}"))
    )
    parts = [_spread(part, seed, shard_bytes) for part in drawn.partition_by("split", maintain_order=True)]
    arranged = pl.concat(parts).sort("split", "shard", "within", "generator", "index")
    return arranged.drop("drawn", "within")


def _spread(part: pl.DataFrame, seed: int, shard_bytes: int) -> pl.DataFrame:
    """One split's samples with their shards."""
    names = part["generator"].unique().cast(pl.String)
    first = {name: word(f"{seed} {name}") / 2**64 for name in names}
    offset = pl.col("generator").cast(pl.String).replace_strict(first, return_dtype=pl.Float64)
    rank = pl.int_range(pl.len()).over("generator")
    spread = (
        part.sort("generator", "drawn", "index")
        .with_columns(((rank + offset) / pl.len().over("generator")).alias("at"))
        .sort("at", "generator", "index")
    )
    total = int(spread["bytes"].sum())
    shards = max(1, -(-total // shard_bytes))
    middle = spread["bytes"].cum_sum() - spread["bytes"] // 2
    number = (middle.cast(pl.Float64) * shards / max(total, 1)).floor().cast(pl.Int64).clip(0, shards - 1)
    # A sample that is larger than a shard leaves numbers that no sample has.
    dense = number.rank("dense").cast(pl.Int64) - 1
    return spread.with_columns(dense.alias("shard")).drop("at")
