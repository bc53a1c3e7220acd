"""What lets a run be answered without Prefect, and what does not."""

from datetime import UTC, datetime

import obstore
import pytest
from obstore.store import MemoryStore

from tests.recorded import put_recorded
from vbvrdatafactory.control.dataset_lock import LockClaim
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import config
from vbvrdatafactory.driver.complete import already_complete
from vbvrdatafactory.driver.observe import observe
from vbvrdatafactory.driver.processes import this_process
from vbvrdatafactory.driver.reports import build_report, write_report
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.specs import write_spec
from vbvrdatafactory.testing import InMemoryAws

SPEC = make_spec(dataset="spring", generators=("A",), samples=2)
HELD = LockClaim(token="t", run="other", holder=this_process(), taken_at=datetime.now(UTC))


@pytest.fixture
def store(cloud: InMemoryAws) -> MemoryStore:
    """A bucket with a complete dataset that a run has reported on, and empty queues."""
    made = cloud.store
    put_recorded(made, "A", range(2))
    write_spec(made, SPEC)
    plan = Plan(SPEC)
    write_report(made, build_report(made, plan, observe(made, plan), "bucket"))
    return made


def test_complete_is_complete(store: MemoryStore) -> None:
    """A dataset that lacks nothing is reported on as it is, whether or not a run has ever held it."""
    report = already_complete(Services(config), Plan(SPEC))
    assert report
    assert (report.total.whole, report.total.expected) == (2, 2)
    records.write(store, keys.dataset_lock("spring"), HELD.ended())
    assert already_complete(Services(config), Plan(SPEC))


def test_a_missing_sample_needs_a_run(store: MemoryStore) -> None:
    """One sample that is torn, and there is something to do."""
    obstore.delete(store, "questions/A/t_task/t_0001/prompt.txt")
    assert already_complete(Services(config), Plan(SPEC)) is None


def test_what_is_left_of_a_torn_sample_needs_a_run(store: MemoryStore) -> None:
    """A torn folder beside an archive that has the sample whole is for a run to remove."""
    obstore.delete(store, "questions/A/t_task/t_0001/prompt.txt")
    obstore.put(store, "questions/A_00001-00001.tar.gz", b"x")
    assert already_complete(Services(config), Plan(SPEC)) is None


@pytest.mark.parametrize("change", [{"seed": 7}, {"samples": 1}, {"output_format": "tar"}, {"batch_size": 1}])
def test_another_wish_needs_a_run(store: MemoryStore, change: dict[str, object]) -> None:
    """What is asked for otherwise than before is for a run to file, though the bucket may hold all of it."""
    assert already_complete(Services(config), Plan(SPEC.model_copy(update=change))) is None


def test_a_dataset_that_is_being_made_needs_a_run(store: MemoryStore) -> None:
    """While another run has the dataset, a run is to wait for it, or to refuse."""
    records.write(store, keys.dataset_lock("spring"), HELD)
    assert already_complete(Services(config), Plan(SPEC)) is None


@pytest.mark.parametrize("queue", ["queue_url", "dlq_url"])
def test_waiting_messages_need_a_run(cloud: InMemoryAws, store: MemoryStore, queue: str) -> None:
    """Messages in either queue may be about to change what is there."""
    assert already_complete(Services(config), Plan(SPEC))
    cloud.sqs.send_message(QueueUrl=getattr(cloud, queue), MessageBody="x")
    assert already_complete(Services(config), Plan(SPEC)) is None


def test_a_dataset_without_a_report_needs_a_run(store: MemoryStore) -> None:
    """One that was made by `datafactory submit` alone gets its first report from a run."""
    obstore.delete(store, "_datafactory/datasets/spring/report.json")
    assert already_complete(Services(config), Plan(SPEC)) is None


@pytest.mark.parametrize("then", [["prompt.txt"], ["prompt.txt", "first_frame.png"]], ids=["torn", "missing"])
def test_what_came_after_the_report_needs_a_run(store: MemoryStore, then: list[str]) -> None:
    """A run that ended without a sample has filed that; when the sample comes after all, a run files the truth."""
    plan, folder = Plan(SPEC), "questions/A/t_task/t_0001"
    for name in then:
        obstore.delete(store, f"{folder}/{name}")
    write_report(store, build_report(store, plan, observe(store, plan), "bucket"))
    for name in then:
        obstore.put(store, f"{folder}/{name}", b"x")
    assert already_complete(Services(config), plan) is None


def test_a_report_of_fewer_samples_needs_a_run(store: MemoryStore) -> None:
    """A dataset that was extended by `datafactory submit` alone is reported on by a run."""
    more = make_spec(dataset="spring", generators=("A",), samples=3)
    for name in ("first_frame.png", "prompt.txt"):
        obstore.put(store, f"questions/A/t_task/t_0002/{name}", b"x")
    write_spec(store, more, replace=True)
    assert already_complete(Services(config), Plan(more)) is None


def test_a_report_that_cannot_be_read_needs_a_run(store: MemoryStore) -> None:
    """What lies in the report's place and is none is replaced by a run's, and ends nothing."""
    obstore.put(store, "_datafactory/datasets/spring/report.json", b"no report")
    assert already_complete(Services(config), Plan(SPEC)) is None
