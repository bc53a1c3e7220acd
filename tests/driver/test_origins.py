"""Which seed made what is in the bucket: from the names of receipts, or from receipts of before those had it."""

from datetime import UTC, datetime

import obstore
import pytest
from obstore.store import MemoryStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import Receipt, TaskMessage, TaskResult
from vbvrdatafactory.driver.messages import messages_for
from vbvrdatafactory.driver.observe import observe, with_origins
from vbvrdatafactory.driver.reports import build_report
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3 import records

NAMED = pytest.mark.parametrize("named", [True, False], ids=["named", "of-before"])


def plan_of(seed: int = 42, samples: int = 30) -> Plan:
    return Plan(make_spec(generators=["A", "AB"], samples=samples, batch_size=10, seed=seed))


def make(store: MemoryStore, message: TaskMessage, named: bool, seed: int | None = None) -> None:
    """A worker: whole samples, and a receipt under the name that receipts have, or had."""
    for index in range(*message.indices):
        folder = keys.sample_folder(keys.SampleFolder(message.type, "t", index))
        for name in ("first_frame.png", "prompt.txt"):
            obstore.put(store, f"{folder}/{name}", b"x")
    receipt = Receipt(
        message=message,
        seed=message.seed if seed is None else seed,
        stored=[message.indices],
        result=TaskResult(generator=message.type, samples_uploaded=message.num_samples, sample_ids=[]),
        attempt=1,
        generator_digest="d",
        finished_at=datetime.now(UTC),
    )
    key = keys.ReceiptKey(message.type, message.indices, message.salt, receipt.seed if named else None)
    records.write(store, keys.receipt(key), receipt)


def others(store: MemoryStore, plan: Plan) -> dict[str, int]:
    """Samples of each generator that were made for another seed; the report says as many."""
    seen = with_origins(store, plan, observe(store, plan))
    report = build_report(store, plan, seen, "bucket")
    assert report.total.other_seed == seen.other_seed
    return {tally.generator: tally.other_seed for tally in report.generators}


@NAMED
def test_a_dataset_of_another_seed_is_not_complete(named: bool) -> None:
    """Thirty samples of each generator are whole, made for seed 42: of the dataset with seed 7 there are none."""
    store = MemoryStore()
    for message in plan_of().messages():
        make(store, message, named)
    assert others(store, plan_of()) == {"A": 0, "AB": 0}
    assert others(store, plan_of(7)) == {"A": 30, "AB": 30}
    seen = with_origins(store, plan_of(7), observe(store, plan_of(7)))
    report = build_report(store, plan_of(7), seen, "bucket")
    assert (len(seen.gaps), report.complete) == (0, False)
    assert report.headline == "dataset is incomplete: 60 of 60 samples were made for another seed."


@NAMED
def test_a_message_without_a_seed_makes_samples_of_another(named: bool) -> None:
    """A worker chose the seed of a batch that was sent by hand: ten samples are not the dataset's."""
    store = MemoryStore()
    for message in plan_of().messages():
        make(store, message, named)
    make(store, TaskMessage(type="A", num_samples=10, start_index=10, salt=1), named, seed=99)
    assert others(store, plan_of()) == {"A": 10, "AB": 0}


@NAMED
def test_deleted_samples_of_another_seed_are_made_for_this_one(named: bool) -> None:
    """Their receipts are still there, and replay nothing: the next round is the plan, and the dataset complete."""
    store = MemoryStore()
    for message in plan_of(7).messages():
        make(store, message, named)
    for key in [item["path"] for page in obstore.list(store, "questions") for item in page]:
        obstore.delete(store, key)
    plan = plan_of()
    sent = list(messages_for(store, plan, observe(store, plan).gaps))
    assert sent == list(plan.messages())
    for message in sent:
        make(store, message, named=True)
    assert others(store, plan) == {"A": 0, "AB": 0}


def test_samples_without_receipts_count_as_ever() -> None:
    """Put there by hand or by the factory before this one: complete, and their number is said."""
    store, plan = MemoryStore(), plan_of()
    for message in plan.messages():
        make(store, message, named=True)
    for key in [item["path"] for page in obstore.list(store, keys.RECEIPTS) for item in page]:
        obstore.delete(store, key)
    report = build_report(store, plan, observe(store, plan), "bucket")
    assert (report.complete, report.total.without_receipt) == (True, 60)
    assert report.origin_notes == ["60 whole samples have no receipt: which seed made them is not known."]


def test_an_old_receipt_that_can_not_be_read_stops_no_report() -> None:
    """It tells nothing: its samples are as good as without."""
    store, plan = MemoryStore(), plan_of(samples=10)
    for message in plan.messages():
        make(store, message, named=False)
        obstore.put(store, keys.receipt(keys.ReceiptKey(message.type, message.indices, 0)), b"not json")
    report = build_report(store, plan, observe(store, plan), "bucket")
    assert (report.complete, report.total.without_receipt) == (True, 20)
