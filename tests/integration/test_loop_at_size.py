"""The loop with many generators: real Prefect, and a bucket and a queue in memory whose worker is there at once."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from flows.ending import DatasetIncomplete
from flows.generate_dataset import generate_dataset
from vbvrdatafactory import aws
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.config import Config, config
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.planning.spec_changes import Redefined
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.run_figures import Reason
from vbvrdatafactory.testing import InMemoryAws

pytestmark = [pytest.mark.prefect]


class World:
    """A bucket, and a queue whose messages are made, or fail of a generator's cause, as they are sent."""

    def __init__(self, generators: Path, failing: dict[str, Cause]) -> None:
        self.store = MemoryStore()
        self.failing = failing
        self.sent: Counter[str] = Counter()
        self.config = Config(
            generators_path=generators,
            sqs_queue_url="tasks",
            sqs_dlq_url="dead",
            output_bucket="sim",
            aws_endpoint_url="http://127.0.0.1:9",
        )

    def client(self, service: str) -> Any:
        return self if service == "sqs" else InMemoryAws().client(service)

    def bucket(self, name: str) -> MemoryStore:
        assert name == "sim"
        return self.store

    def send_message_batch(self, QueueUrl: str, Entries: list[dict]) -> dict:  # noqa: N803 - boto3's names
        for entry in Entries:
            self.work(TaskMessage.model_validate_json(entry["MessageBody"]))
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries], "Failed": []}

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> dict:  # noqa: N803
        return {"Attributes": dict.fromkeys(AttributeNames, "0")}

    def work(self, message: TaskMessage) -> None:
        self.sent[message.type] += 1
        if cause := self.failing.get(message.type):
            key = keys.FailureKey(message.type, message.indices, message.salt, 1, cause)
            obstore.put(self.store, keys.failure(key), b"{}")
            return
        obstore.put(self.store, keys.archive(keys.Archive(message.type, message.indices)), b"x")
        key = keys.ReceiptKey(message.type, message.indices, message.salt, message.seed)
        obstore.put(self.store, keys.receipt(key), b"{}")

    def keys(self) -> list[str]:
        """What lies in the bucket; who holds a dataset, and reports, aside."""
        found = [item["path"] for page in obstore.list(self.store) for item in page]
        return [key for key in found if "/lease.json" not in key and "/report" not in key]

    def generate(self, **wanted: object) -> Report | Exception:
        asked = {
            "dataset": "size",
            "samples": 200,
            "batch_size": 5,
            "output_format": "tar",
            "poll_seconds": 0.1,
            **wanted,
        }
        found = generate_dataset(**asked, return_state=True).result(raise_on_failure=False)
        return found.report if isinstance(found, DatasetIncomplete) else found


@pytest.fixture
def make_world(tmp_path: Path, prefect_server: str) -> Iterator:
    """Makes a world of so many generators, of which some fail, for the flows of this process."""

    def make(count: int, failing: dict[int, Cause]) -> World:
        names = [f"G-{number:03d}" for number in range(count)]
        for name in names:
            (tmp_path / name / "examples").mkdir(parents=True)
            (tmp_path / name / "examples" / "generate.py").write_text("")
        world = World(tmp_path, {names[number]: cause for number, cause in failing.items()})
        replaced.enter_context(config.replaced_by(world.config))
        replaced.enter_context(aws.replaced_by(world))
        return world

    with ExitStack() as replaced, temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield make


def test_broken_generators_cost_a_few_messages_and_the_others_are_complete(make_world) -> None:
    """Of 40 generators x 40 batches two never work: they cost 2 and 4 messages, the others 40 each; once mended, 40 more."""
    world = make_world(40, {3: Cause.MISSING_DEPENDENCY, 7: Cause.CRASH})
    report = world.generate()
    assert {name: count for name, count in world.sent.items() if count != 40} == {"G-003": 2, "G-007": 4}
    assert {(broken.generator, broken.cause) for broken in report.run.broken} == {
        ("G-003", Cause.MISSING_DEPENDENCY),
        ("G-007", Cause.CRASH),
    }
    assert (report.total.whole, report.run.samples, report.run.early) == (38 * 200, 38 * 200, None)
    world.failing.clear()
    world.sent.clear()
    report = world.generate()
    assert report.complete
    assert world.sent["G-003"] == 40
    assert set(world.sent) == {"G-003", "G-007"}


def test_a_run_of_which_most_fails_ends_before_it_costs_anything(make_world) -> None:
    """With 30 of 40 generators broken the probes spend the budget: nothing more is sent, and the report says why."""
    world = make_world(40, dict.fromkeys(range(30), Cause.MISSING_DEPENDENCY))
    report = world.generate()
    assert sum(world.sent.values()) == 80
    assert report.run.early.reason is Reason.BUDGET
    assert "60 of 80 finished batches failed, at most 50 % may fail" in report.verdict
    assert len(report.run.broken) == 30
    assert len(report.verdict) < 3000


def test_a_proven_generator_is_not_probed_again(make_world) -> None:
    """A run that goes on where another stopped sends all at once: one round, no wait for probes."""
    world = make_world(2, {})
    world.generate(samples=20)
    report = world.generate(samples=200)
    assert (report.complete, report.run.rounds, report.run.messages) == (True, 1, 72)
    filed = json.loads(bytes(obstore.get(world.store, keys.dataset_file("size", "report.json")).bytes()))
    assert filed["run"]["messages"] == 72


def test_another_seed_under_the_name_is_refused_at_once(make_world) -> None:
    """Nothing is sent or filed, nothing is tried again, and the dataset of before stays complete."""
    world = make_world(2, {})
    assert world.generate(samples=20).complete
    world.sent.clear()
    before = world.keys()
    refused = world.generate(samples=20, seed=7)
    assert isinstance(refused, Redefined)
    assert "seed: 42 → 7" in str(refused)
    assert (world.sent, world.keys()) == (Counter(), before)
    assert world.generate(samples=20).complete


def test_another_dataset_in_its_place_is_refused(make_world) -> None:
    """With both names, before anything is sent or filed."""
    world = make_world(2, {})
    world.generate(samples=20)
    world.sent.clear()
    before = world.keys()
    refused = world.generate(samples=30, seed=7, dataset="other")
    assert isinstance(refused, DataFactoryError)
    assert "datasets 'size' (seed 42) and 'other' (seed 7)" in str(refused)
    assert (world.sent, world.keys()) == (Counter(), before)


def test_samples_of_another_seed_make_no_dataset_complete(make_world) -> None:
    """Whole samples of seed 42: for seed 7 nothing is sent, and the run says what it found and what helps."""
    world = make_world(2, {})
    world.generate(samples=20)
    world.sent.clear()
    report = world.generate(samples=30, seed=7, replace_spec=True)
    assert (report.complete, report.total.whole, report.total.other_seed) == (False, 40, 40)
    assert (
        report.result_line == "RESULT expected=60 whole=40 torn=0 missing=20 messages=0 other_seed=40 right=0"
    )
    assert report.run.early.reason is Reason.OTHER_SEED
    assert "G-000: 20" in report.verdict
    assert "seed 42 made them for dataset 'size'" in report.verdict
    assert not world.sent


def test_a_message_that_chose_its_seed_shows_in_the_report(make_world) -> None:
    """A batch sent by hand in mid-run is whole, and not the dataset's: the run ends incomplete."""
    world = make_world(1, {})
    by_hand = TaskMessage(type="G-000", num_samples=5, start_index=10, seed=99, salt=1)

    def work(message: TaskMessage) -> None:
        World.work(world, message)
        if message.start_index == 15:
            World.work(world, by_hand)

    world.work = work
    report = world.generate(samples=20)
    assert (report.complete, report.total.whole, report.total.other_seed) == (False, 20, 5)
