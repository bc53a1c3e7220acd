"""Groups of equal puzzles: samples with one content, and those that their generator gives one hash of parameters."""

import polars as pl


def find_groups(samples: pl.DataFrame) -> pl.Series:
    """The group of each sample: the smallest content of all that are equal to it, directly or through others.

    Args:
        samples: ``content`` and ``puzzle``, words of the content's digest and of what its generator says that the puzzle
            is; null where it says nothing.
    """
    found = samples.select("content", "puzzle", pl.col("content").alias("group"))
    smallest = pl.col("group").min()
    same_puzzle = pl.when(pl.col("puzzle").is_not_null()).then(smallest.over("puzzle"))
    while True:
        # A null is left out of the minimum.
        wider = found.with_columns(pl.min_horizontal(smallest.over("content"), same_puzzle).alias("group"))
        if wider["group"].equals(found["group"]):
            return wider["group"]
        found = wider


def name_of_group(group: pl.Expr) -> pl.Expr:
    """A group's word in hexadecimal digits, as the metadata of a release has it."""
    high, low = group // 2**32, group % 2**32
    return pl.concat_str(_digits(high), _digits(low))


def _digits(number: pl.Expr) -> pl.Expr:
    nibbles = [(number // 16**place) % 16 for place in range(7, -1, -1)]
    letters = [
        nibble.cast(pl.UInt32).replace_strict(range(16), [*"0123456789abcdef"], return_dtype=pl.String)
        for nibble in nibbles
    ]
    return pl.concat_str(letters)
