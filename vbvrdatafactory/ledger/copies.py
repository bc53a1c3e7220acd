"""Finds samples with the content of another one, where a dataset requires distinct samples."""

from collections import Counter

import polars as pl

from vbvrdatafactory.planning.contents import Contents, State
from vbvrdatafactory.planning.distinct import TRIES, is_exhausted


def with_copies_told(contents: Contents, rows: pl.DataFrame) -> Contents:
    """The states, where right samples with the content of an earlier one are copies.

    Args:
        contents: the state of each planned sample.
        rows: the ledger of their generator.
    """
    states = bytearray(contents.states)
    known = rows.filter(pl.col("digest").is_not_null() & (pl.col("index") < len(states))).sort("index")
    right = [
        (index, digest, salt or 0)
        for index, digest, salt in known.select("index", "digest", "salt").iter_rows()
        if states[index] == State.RIGHT
    ]
    is_over = is_exhausted(Counter(digest for _, digest, _ in right))
    seen = set[str]()
    for index, digest, salt in right:
        if digest in seen:
            states[index] = State.LAST_COPY if is_over or salt >= TRIES else State.COPY
        seen.add(digest)
    return Contents(bytes(states))
