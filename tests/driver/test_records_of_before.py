"""What version 0.1.0 left in a bucket and in a queue is continued: the same messages, the same report."""

import json
from datetime import UTC, datetime
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from vbvrdatafactory.control.dataset_lock import LockClaim, LockHolder
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.driver.guard import lock_dataset
from vbvrdatafactory.driver.messages import messages_for
from vbvrdatafactory.driver.observe import observe
from vbvrdatafactory.driver.reports import build_report, explain_failures
from vbvrdatafactory.driver.runs import list_runs
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3.listing import sizes, take_evidence
from vbvrdatafactory.s3.pause import read_pause
from vbvrdatafactory.s3.specs import compare_spec, list_datasets, read_spec, write_spec
from vbvrdatafactory.testing import InMemoryAws


@pytest.fixture
def plan(bucket_of_before: MemoryStore) -> Plan:
    """The plan of the spec that lies there."""
    return Plan(read_spec(bucket_of_before, "spring"))


def test_the_plan_is_the_same(plan: Plan, facts_of_before: dict[str, Any]) -> None:
    """Every planned message has the body that it had, byte for byte: an older worker takes it."""
    assert [message.to_json() for message in plan.messages()] == facts_of_before["planned"]


def test_what_is_missing_is_sent_as_it_was(
    plan: Plan, bucket_of_before: MemoryStore, facts_of_before: dict[str, Any]
) -> None:
    """Holes are replayed under the seeds of their receipts, whatever these are named; what crashed gets fresh seeds."""
    seen = observe(bucket_of_before, plan)
    sent = [message.to_json() for message in messages_for(bucket_of_before, plan, seen.gaps)]
    assert sorted(sent) == sorted(facts_of_before["replay"])


def test_queued_messages_are_read(facts_of_before: dict[str, Any]) -> None:
    """Planned ones, replays, and those that people and the predecessor sent."""
    for body in (*facts_of_before["planned"], *facts_of_before["replay"], *facts_of_before["by_hand"]):
        sent = {name: value for name, value in json.loads(body).items() if name != "dedup"}
        assert sent.items() <= json.loads(TaskMessage.model_validate_json(body).to_json()).items()


def test_the_report_is_the_same(
    plan: Plan, bucket_of_before: MemoryStore, facts_of_before: dict[str, Any]
) -> None:
    """Whole, torn, missing, of another seed, and why."""
    seen = observe(bucket_of_before, plan)
    report = build_report(bucket_of_before, plan, seen, "bucket")
    assert report.result_line == f"{facts_of_before['result']} right=0"
    assert (report.total.whole, report.total.unproven) == (13, 13)
    evidence = take_evidence(bucket_of_before, plan.generators)
    (failure,) = explain_failures(bucket_of_before, evidence, seen.gaps)
    assert (failure.generator, failure.cause.value) == ("A-2_crashes", "crash")
    assert "no font called Wingdings" in failure.detail


def test_its_runs_and_specs_are_listed(bucket_of_before: MemoryStore, plan: Plan) -> None:
    """The report that lies there, and the spec that it had before it grew."""
    (run,) = list_runs(bucket_of_before, "spring")
    assert run.report
    assert (run.report.run.messages, run.problem) == (6, "")
    assert list_datasets(bucket_of_before) == ["autumn", "spring"]
    assert compare_spec(bucket_of_before, plan.spec) == []
    (former,) = [key for key, _ in sizes(bucket_of_before, keys.former_specs("spring"))]
    assert former.endswith("/specs/20261102T000000000000Z.json")
    assert write_spec(bucket_of_before, plan.spec.model_copy(update={"samples": 20}))


def test_its_lock_and_its_pause_hold(cloud: InMemoryAws, bucket_of_before: MemoryStore) -> None:
    """A lock that a run holds is respected, a released one is free, and a paused dataset is paused."""
    for name in ("autumn", "spring"):
        key = keys.dataset_lock(name)
        obstore.put(cloud.store, key, bytes(obstore.get(bucket_of_before, key).bytes()))
    policy = RunPolicy(if_busy="refuse")
    with lock_dataset(Services(cloud.config), "spring", policy) as guard:
        assert not guard.took_over
    with (
        pytest.raises(DataFactoryError, match="'autumn' is being made by run first"),
        lock_dataset(Services(cloud.config), "autumn", policy),
    ):
        pass
    assert str(read_pause(bucket_of_before, "autumn")).startswith("paused by ann")


def test_an_older_run_reads_our_lock() -> None:
    """A lock that this version writes has every field that 0.1.0 reads, with the same meaning."""
    claim = LockClaim(token="t", run="r", holder=LockHolder("m", 1, 0.5), taken_at=datetime.now(UTC))
    written = json.loads(claim.model_dump_json())
    assert written.keys() - {"schema_version"} == {
        "token",
        "run",
        "holder",
        "ttl_seconds",
        "taken_at",
        "renewals",
        "released",
    }
