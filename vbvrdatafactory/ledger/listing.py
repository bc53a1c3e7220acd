"""The listing of one generator as a table: key, size and ETag of each object."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import polars as pl
from arro3.core import RecordBatch

SCHEMA = pl.Schema({"key": pl.String, "size": pl.Int64, "e_tag": pl.String})


# A page of a listing: an Arrow table, as obstore returns it, or a list of its objects.
Page = RecordBatch | Sequence["Stored"]


class Stored(Protocol):
    """An object in a listing."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def e_tag(self) -> str | None: ...


def to_table(pages: Iterable[Page]) -> pl.DataFrame:
    """One table of the pages of a listing."""
    return pl.concat([SCHEMA.to_frame(), *map(_page, pages)])


def _page(page: Page) -> pl.DataFrame:
    if isinstance(page, RecordBatch):
        found = pl.DataFrame(page).select(
            pl.col("path").alias("key"), pl.col("size").cast(pl.Int64), pl.col("e_tag")
        )
    else:
        rows = [(one.path, one.size, one.e_tag) for one in page]
        found = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return found.with_columns(pl.col("e_tag").fill_null("").str.strip_chars('"'))
