"""Which samples are shown: what a person asks for, and a random choice of what that leaves."""

from collections.abc import Mapping
from random import Random
from typing import NamedTuple
from urllib.parse import urlencode

import polars as pl

from vbvrdatafactory.browse.states import CODES, WORDS
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.planning.contents import State

_LARGEST = 2**31
_HEX = frozenset("0123456789abcdef")


class QueryError(DataFactoryError):
    """What was asked for can't be."""


class Query(NamedTuple):
    """What a person asks for.

    Args:
        generator: only this one; empty for all.
        state: only samples in this state, in words; empty for all that have files.
        digest: only samples whose content digest begins so, in hexadecimal.
        copies: only samples with the content of an earlier one.
        start, stop: only indices from `start` on, below `stop`.
        seed: which of them.
        page: which generators, some at a time; from 0 on.
    """

    generator: str = ""
    state: str = ""
    digest: str = ""
    copies: bool = False
    start: int = 0
    stop: int = _LARGEST
    seed: int = 0
    page: int = 0

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "Query":
        """The query that the address of a page has.

        Raises:
            QueryError: a value is none.
        """
        state, digest = given.get("state", ""), given.get("digest", "").strip().lower()
        if state and state not in CODES:
            raise QueryError(f"{state[:40]!r} is no state; the states are {', '.join(CODES)}")
        if not _HEX.issuperset(digest) or len(digest) > 64:
            raise QueryError(f"{digest[:70]!r} is no beginning of a digest: up to 64 hexadecimal digits")
        known = cls(given.get("generator", ""), state, digest, bool(given.get("copies")))
        return known._replace(
            start=_number(given, "start"),
            stop=_number(given, "stop", _LARGEST),
            seed=_number(given, "seed"),
            page=_number(given, "page"),
        )

    def address(self, **changes: object) -> str:
        """The address of the page with this query, changed."""
        changed = self._replace(**changes)  # type: ignore[arg-type]
        told = {
            name: int(value) if isinstance(value, bool) else value
            for name, value in changed._asdict().items()
            if value != Query._field_defaults[name]
        }
        return f"?{urlencode(told)}" if told else "?"

    @property
    def needs_ledger(self) -> bool:
        """Whether states alone do not answer it."""
        return bool(self.digest or self.copies)


def choose(
    query: Query, generator: str, states: bytes, rows: pl.DataFrame, most: int
) -> tuple[list[int], int]:
    """Indices of at most `most` samples, in order, and how many the choice was from.

    Args:
        query: what is asked for.
        generator: whose samples.
        states: one byte for each index.
        rows: its ledger: index and digest; only where the query `needs_ledger`.
        most: how many.
    """
    span = range(min(query.start, len(states)), min(query.stop, len(states)))
    if query.needs_ledger:
        asked = with_copies(rows).filter(
            pl.col("digest").str.starts_with(query.digest)
            & (pl.col("copy_of").is_not_null() | (not query.copies))
        )
        among = [index for index in asked["index"].sort() if index in span]
    else:
        among = list(span)
    wanted = {CODES[query.state]} if query.state else WORDS.keys() - {State.NOT_WHOLE.value}
    found = [index for index in among if states[index] in wanted]
    draw = Random(f"{query.seed} {generator}")  # noqa: S311 - no secret
    return sorted(draw.sample(found, min(most, len(found)))), len(found)


def with_copies(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that have a digest, with the first sample of the same content as `copy_of`; null for that one itself."""
    first = pl.col("index").min().over("digest")
    return rows.drop_nulls("digest").with_columns(
        copy_of=pl.when(first < pl.col("index")).then(first).otherwise(None)
    )


def _number(given: Mapping[str, str], name: str, default: int = 0) -> int:
    text = given.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or int(text) > _LARGEST:
        raise QueryError(f"{name} is a number from 0 to {_LARGEST:,}, not {text[:40]!r}")
    return int(text)
