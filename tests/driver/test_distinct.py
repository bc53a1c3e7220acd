"""How many samples differ, read from the receipts in the bucket."""

from datetime import UTC, datetime
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import Receipt, TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.driver.distinct import distinct_samples
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import take_evidence


def put_receipt(bucket: MemoryStore, generator: str, start: int, *digests: str) -> None:
    message = TaskMessage(type=generator, num_samples=len(digests), start_index=start, seed=start)
    receipt = Receipt(
        message=message,
        seed=start,
        stored=[message.indices],
        digests=dict(enumerate(digests, start)),
        result=TaskResult(generator=generator, samples_uploaded=len(digests), sample_ids=[]),
        attempt=1,
        generator_digest="d",
        finished_at=datetime.now(UTC),
    )
    records.write(bucket, keys.receipt(keys.ReceiptKey(generator, message.indices, 0)), receipt)


def distinct(bucket: MemoryStore, *generators: str, samples: int = 10_000) -> dict[str, str]:
    plan = Plan(make_spec(generators=generators, samples=samples))
    found = distinct_samples(bucket, plan, take_evidence(bucket, generators))
    return {name: str(seen) for name, seen in found.items()}


def test_each_generator_is_counted_by_itself() -> None:
    """One repeats itself, one does not, of one nothing is known."""
    bucket = MemoryStore()
    for start in (0, 2):
        put_receipt(bucket, "A", start, "x", "y")
        put_receipt(bucket, "AB", start, f"x{start}", f"y{start}")
    assert distinct(bucket, "A", "AB", "C") == {"A": "2 of 4", "AB": "4 of 4", "C": "-"}


def test_a_receipt_that_cannot_be_read_costs_itself_only() -> None:
    """It is no evidence, and no reason to end without a report."""
    bucket = MemoryStore()
    put_receipt(bucket, "A", 0, "x", "y")
    obstore.put(bucket, keys.receipt(keys.ReceiptKey("A", IndexRange(2, 4), 0)), b"{")
    assert distinct(bucket, "A") == {"A": "2 of 2"}


def test_however_many_receipts_there_are_few_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand receipts two hundred are read."""
    bucket, read, reads = MemoryStore(), obstore.get, []
    for start in range(1000):
        put_receipt(bucket, "A", start, f"d{start}")

    def counted(*args: Any) -> Any:
        reads.append(args)
        return read(*args)

    monkeypatch.setattr(obstore, "get", counted)
    assert distinct(bucket, "A") == {"A": "200 of 200"}
    assert len(reads) == 200
