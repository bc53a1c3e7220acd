"""What a run that is limited sends, and what it counts as spent, on a bad day."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import obstore
import pytest

from tests.certified import failure
from tests.driver.test_pricing_loop import BROKEN, LIGHT, Measuring, approve, play, spending
from vbvrdatafactory.control.circuit_breaker import PROBES
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.records import Receipt, StartedRecord
from vbvrdatafactory.core.usage import RunUsage, Usage
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.report.run_figures import Reason
from vbvrdatafactory.s3 import records


@pytest.fixture
def make(cloud) -> Callable[..., Measuring]:
    return lambda **otherwise: Measuring(cloud, **{"generators": (LIGHT,), **otherwise})


def filing(world: Measuring, change: Callable[[Receipt], Receipt]) -> None:
    """Have the world's worker file other receipts."""
    work = world.work

    def other(message: TaskMessage) -> None:
        before = set(receipts(world))
        work(message)
        for key in set(receipts(world)) - before:
            receipt = records.read(world.cloud.store, key, Receipt)
            assert receipt
            records.write(world.cloud.store, key, change(receipt))

    world.work = other  # type: ignore[method-assign]


def receipts(world: Measuring) -> list[str]:
    return [one["path"] for one in obstore.list(world.cloud.store).collect() if "/receipts/" in one["path"]]


def without_usage(receipt: Receipt) -> Receipt:
    return receipt.model_copy(update={"usage": None, "repetition": None})


def in_no_time(receipt: Receipt) -> Receipt:
    assert receipt.usage
    return receipt.model_copy(
        update={"usage": receipt.usage.model_copy(update={"seconds": 0.0}), "repetition": None}
    )


@pytest.mark.parametrize("change", [without_usage, in_no_time])
@pytest.mark.parametrize("limits", [{"require_approval": True}, {"max_cost_usd": 5.0}])
def test_what_has_no_price_is_sent_nothing_but_its_probes(
    make, change: Callable[[Receipt], Receipt], limits: dict[str, Any]
) -> None:
    """Older workers do not measure: their samples are no proof of what the rest costs, in no round."""
    world = make()
    filing(world, change)
    loop = play(world, **spending(**limits))
    assert [len(sent) for sent in world.sent] == [PROBES]
    assert "deploy workers of this version" in loop.problems[LIGHT]


RUNS = (RunUsage(samples=20, seconds=60),)


def failing(world: Measuring, fails: Callable[[TaskMessage], bool], **changes: Any) -> None:
    """Have some messages fail, each once, after a minute; then its queue delivers them again."""
    work, failed = world.work, set[str]()

    def other(message: TaskMessage) -> None:
        if not fails(message) or message.to_json() in failed:
            work(message)
            return
        failed.add(message.to_json())
        record = failure(Cause.UPLOAD, "no room", generator=message.type)
        usage = Usage(runs=RUNS, seconds=60)
        record = record.model_copy(
            update={"message": message, "usage": usage, "failed_at": datetime.now(UTC), **changes}
        )
        key = keys.FailureKey(message.type, message.indices, message.salt, 1, record.cause)
        records.write(world.cloud.store, keys.failure(key), record)
        if record.cause is Cause.UPLOAD:
            work(message)

    world.work = other  # type: ignore[method-assign]


def test_attempts_that_failed_are_paid_for_where_the_next_one_succeeded(make) -> None:
    """Each batch takes a minute more than was foreseen: when that is known, the budget is used up."""
    world = make(samples=3000)
    failing(world, lambda message: not message.certify)
    loop = play(world, **spending(max_cost_usd=0.05))
    assert loop.early is not None
    assert loop.early.reason is Reason.SPENT
    assert len(world.sent) == 2


@pytest.mark.parametrize(("fails", "batches"), [("planned", 28), ("probes", 0)])
def test_a_forecast_is_held_to_attempts_that_failed_too(make, fails: str, batches: int) -> None:
    """A generator took what all attempts at its batches took; those at its probes came before anything was estimated."""
    world = make()
    failing(world, lambda message: message.certify == (fails == "probes"))
    costs = play(world).report(world.look(), seconds=10.0).costs
    assert costs is not None
    (row,) = costs.generators
    gb = 1769 / 1024
    assert row.gb_seconds == pytest.approx((28 * 1.5 + batches * 60) * gb)
    assert costs.gb_seconds > row.gb_seconds + (PROBES * 1.5 + (0 if batches else PROBES * 60)) * gb


def test_what_a_failed_attempt_had_stored_was_paid_for(make) -> None:
    """Its requests cost more than its time, where most of a batch was stored and one sample refused."""
    world = make(samples=40)
    failing(world, lambda _: True, usage=Usage(runs=RUNS, seconds=60, objects=100_000))
    costs = play(world).report(world.look(), seconds=10.0).costs
    assert costs is not None
    put = PROBES * 100_000 / 1000 * 0.005
    assert put < costs.usd < 1.1 * put


def losing(world: Measuring, loses: Callable[[TaskMessage], bool]) -> None:
    """Have workers be killed in the midst of some messages, each once: the second attempt leaves its name, and succeeds."""
    work = world.work

    def other(message: TaskMessage) -> None:
        if loses(message):
            key = keys.StartedKey(message.type, message.indices, message.salt, 2)
            record = StartedRecord(attempt=2, worker="function worker", started_at=datetime.now(UTC))
            records.write(world.cloud.store, keys.started(key), record)
        work(message)

    world.work = other  # type: ignore[method-assign]


def test_attempts_that_were_lost_are_paid_for_as_the_batches_that_they_were_to_make(make) -> None:
    """No record says what they took: they count as long as a batch is estimated to take at most."""
    world = make()
    losing(world, lambda message: not message.certify)
    costs = play(world, **spending(max_cost_usd=5)).report(world.look(), seconds=10.0).costs
    assert costs is not None
    of_receipts = 30 * 1.5 * 1769 / 1024
    assert 2 < costs.gb_seconds / of_receipts < 2.7
    (row,) = costs.generators
    assert row.gb_seconds == pytest.approx(28 * 1.5 * 1769 / 1024)


def test_lost_attempts_at_probes_take_all_of_the_functions_time(make) -> None:
    """Nothing says what a batch of a generator takes whose probes kill their workers; then a budget is held to the most."""
    world = make(generators=(LIGHT, BROKEN))
    world.fails[BROKEN] = Cause.CRASH
    losing(world, lambda message: message.type == BROKEN and message.salt == 0)
    loop = play(world, **spending(max_cost_usd=5))
    costs = loop.report(world.look(), seconds=10.0).costs
    assert costs is not None
    limits = loop.run.terms.limits
    least = PROBES * limits.timeout_seconds * limits.memory_mb / 1024 / limits.side_by_side
    assert least < costs.gb_seconds < 1.1 * least


def test_an_approval_that_is_deleted_allows_nothing_more(make) -> None:
    """In the middle of a run, too: without it there would be no limit at all."""
    world = make(samples=3000)
    approve(world, 1000)
    wait = world.wait

    def deleting(run: Any, step: str, held_back: Any = ()) -> Any:
        if "portion" in step:
            obstore.delete(world.cloud.store, keys.approval("d"))
        return wait(run, step, held_back)

    world.wait = deleting  # type: ignore[method-assign]
    failing(world, lambda message: message.start_index >= 1000, cause=Cause.CRASH)
    loop = play(world, **spending(require_approval=True))
    assert loop.early is not None
    assert loop.early.reason is Reason.APPROVAL
    assert world.made == 1000


def test_what_another_code_made_certifies_nothing(make) -> None:
    """Samples of before are there; as its code is now, it fails: it is sent nothing but its probes."""
    world = make(samples=100)
    play(world)
    for one in obstore.list(world.cloud.store, prefix=keys.CERTIFICATES).collect():
        obstore.delete(world.cloud.store, one["path"])
    world.plan = Plan(make_spec(dataset="d", generators=(LIGHT,), samples=600, batch_size=20))
    world.sent.clear()
    failing(world, lambda _: True, cause=Cause.CRASH, generator_digest="changed")
    play(world, **spending(max_cost_usd=5))
    assert all(message.certify for message in world.sent[0])
    assert len(world.sent[0]) == PROBES
    assert not any(not message.certify for sent in world.sent for message in sent)
    assert not world.certificates[LIGHT].passed


def test_a_hole_costs_the_batch_that_is_made_again_for_it(make) -> None:
    """One sample of each batch is gone: all batches are made again, and that is what it is said to cost."""
    world = make()
    play(world)
    for index in range(0, 600, 20):
        folder = keys.sample_folder(keys.SampleFolder(LIGHT, "t", index))
        for one in obstore.list(world.cloud.store, prefix=folder).collect():
            obstore.delete(world.cloud.store, one["path"])
    world.prices.clear()
    play(world, **spending(max_cost_usd=50))
    price = world.prices[0][1]
    assert (price.samples, price.batches) == (30, 30)
    assert price.gb_seconds.holds(30 * 1.5 * 1769 / 1024)
