"""The batches that made samples, by the ledger."""

import polars as pl

from tests.certified import receipt
from vbvrdatafactory.ledger.batches import find_batches
from vbvrdatafactory.ledger.rows import rows_of, table
from vbvrdatafactory.ledger.schema import SCHEMA, Part, from_parquet, to_parquet


def rows(*receipts: object) -> pl.DataFrame:
    return table(row for number, one in enumerate(receipts) for row in rows_of(f"receipts/{number}", one))


def test_a_batch_is_found_once_with_what_it_used() -> None:
    """However many samples it made; each figure as its receipt has it."""
    found = find_batches(rows(receipt(8), receipt(4, start=8, seconds=9.0)))
    assert [(one.samples, one.stored, one.seconds) for one in found] == [(8, 8, 2.0), (4, 4, 9.0)]
    first = found[0]
    assert (first.code, first.environment, first.worker) == ("code", "env", "1 abc")
    assert (first.function_mb, first.objects, first.stored_bytes) == (1769, 40, 400_000)
    assert first.gb_seconds == 2.0 * 1769 / 1024


def test_batches_of_older_workers_are_not_among_them() -> None:
    """Nobody measured."""
    assert find_batches(rows(receipt(8).model_copy(update={"usage": None}))) == ()


def test_a_ledger_of_before_is_read() -> None:
    """It has no such column; its rows stay, and what is folded stays folded."""
    part = Part(rows(receipt(4)), frozenset({"receipts/0"}))
    before = to_parquet(part._replace(rows=part.rows.drop("usage")))
    read = from_parquet(before)
    assert read.folded == part.folded
    assert read.rows.schema == SCHEMA
    assert read.rows["usage"].null_count() == 4
    assert find_batches(read.rows) == ()


def test_what_a_ledger_holds_survives_the_file() -> None:
    """Written and read again, it is the same."""
    part = Part(rows(receipt(4)), frozenset({"receipts/0"}))
    assert find_batches(from_parquet(to_parquet(part)).rows) == find_batches(part.rows) != ()
