"""Which code made how many samples."""

import polars as pl

from vbvrdatafactory.ledger.codes import find_codes
from vbvrdatafactory.ledger.rows import table
from vbvrdatafactory.planning.codes import Code


def test_samples_are_grouped_by_their_code() -> None:
    """Those that are planned and there as recorded, the commonest code first."""
    rows = [
        {"index": 0, "code": "old"},
        {"index": 1, "code": "new", "commit": "c"},
        {"index": 2, "code": "new", "commit": "c"},
        {"index": 3},
        {"index": 4, "code": "gone"},
        {"index": 9, "code": "old"},
    ]
    matched = table(rows).with_columns(matched=pl.Series([True] * 4 + [False, True]))
    assert find_codes(matched, 9) == (
        Code(code="new", commit="c", samples=2),
        Code(code="old", samples=1),
    )
