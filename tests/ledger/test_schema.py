"""The ledger's files."""

from datetime import UTC, datetime

import polars as pl
import pytest

from vbvrdatafactory.ledger.rows import table
from vbvrdatafactory.ledger.schema import SCHEMA, Part, from_parquet, to_parquet

ROW = {
    "generator": "G",
    "index": 3,
    "digest": "d",
    "objects": [{"key": "questions/G/t_task/t_0003/prompt.txt", "size": 5, "e_tag": "e"}],
    "made_at": datetime(2026, 1, 1, tzinfo=UTC),
}


def test_a_part_comes_back_as_it_was() -> None:
    """Rows and the names of what is folded; and the same part is the same bytes."""
    part = Part(table([ROW]), frozenset({"receipts/G/b.json", "receipts/G/a.json"}))
    data = to_parquet(part)
    again = from_parquet(data)
    assert (again.rows.equals(part.rows), again.folded) == (True, part.folded)
    assert to_parquet(again) == data


def test_an_empty_part_has_the_columns() -> None:
    """A generator without receipts."""
    assert from_parquet(to_parquet(Part())).rows.schema == SCHEMA


@pytest.mark.parametrize("data", [b"", b"{}", b"PAR1" * 10], ids=["empty", "json", "cut"])
def test_what_is_no_ledger_is_refused(data: bytes) -> None:
    """So that it is made anew."""
    with pytest.raises(ValueError, match="it is no ledger"):
        from_parquet(data)


def test_another_table_is_refused(tmp_path) -> None:
    """A Parquet file that somebody put there."""
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "x")
    with pytest.raises(ValueError, match="it is no ledger"):
        from_parquet((tmp_path / "x").read_bytes())


def test_others_read_it_without_our_code(tmp_path) -> None:
    """One row a sample, with plain columns and a list of objects."""
    (tmp_path / "G.parquet").write_bytes(to_parquet(Part(table([ROW]))))
    read = pl.scan_parquet(tmp_path / "*.parquet")
    assert read.select(pl.col("objects").list.first().struct.field("e_tag")).collect().item() == "e"
