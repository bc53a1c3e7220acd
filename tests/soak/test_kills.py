"""Workers that are killed at any moment: the run ends as if nobody had been."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import obstore
import psutil
import pytest
from obstore.store import MemoryStore, ObjectStore

from infra.local import EmbeddedAws
from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from vbvrdatafactory import aws
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import sizes, take_inventory

pytestmark = [pytest.mark.soak, pytest.mark.aws]

KILLS, WORKERS = 50, 2
BATCHES, SAMPLES = 90, 10
# Of the messages a killed worker held.
LEASE_SECONDS = 3
MOST_SECONDS = 600

# Half of the batches are written as they are made, half at the end; each leaves children that outlive it.
SLOW = "time.sleep(0.05)"
SLOW_PLAIN = f"""
    subprocess.Popen(sleep(20), start_new_session=True)
    daemon(lambda: None)
    make(out, seed, count, lambda place: {SLOW})
"""


@dataclass
class Fleet:
    """Workers as a user starts them, each a process of its own, on a queue and a bucket of this test."""

    environment: dict[str, str]
    log: Path
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self) -> None:
        command = [
            *(str(Path(sys.executable).with_name("datafactory")), "worker"),
            *("--concurrency", "2", "--visibility-timeout", str(LEASE_SECONDS), "--until-empty"),
        ]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running.append(process)

    def kill(self, victim: "subprocess.Popen[bytes]") -> None:
        """SIGKILL for this one process: it can't end its children, nor clear anything away."""
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        self.running.remove(victim)

    def end(self) -> None:
        for process in [*self.running]:
            self.kill(process)


@pytest.fixture
def embedded(arena, tmp_path: Path) -> Iterator[Config]:
    """A bucket and a queue that gives no message up, with no Lambda behind it."""
    with EmbeddedAws(tmp_path / "state", arena.generators).running() as info:
        config = Config(env_file=info.env_file)
        functions = aws.client(config, "lambda")
        functions.update_event_source_mapping(UUID=info.event_source_mapping_id, Enabled=False)
        queue = aws.sqs(config).create_queue(QueueName="soak")["QueueUrl"]
        yield Config(env_file=info.env_file, sqs_queue_url=queue)


@pytest.fixture
def fleet(arena, embedded: Config, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(
        {
            "PATH": os.environ["PATH"],
            "HOME": str(arena.root),
            "TMPDIR": str(arena.temp),
            "AWS_ENDPOINT_URL": embedded.aws_endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SQS_QUEUE_URL": embedded.sqs_queue_url,
            "SQS_DLQ_URL": embedded.sqs_dlq_url,
            "OUTPUT_BUCKET": embedded.output_bucket,
            "GENERATORS_PATH": str(arena.generators),
        },
        tmp_path / "workers.log",
    )
    yield made
    made.end()


def test_fifty_kills_change_nothing(arena, embedded: Config, fleet: Fleet, capsys) -> None:
    """After 50 kills of 2 workers at random moments every sample is whole, the right one, and there once."""
    names = [
        arena.template(SLOW, name="T-1_template_data-generator"),
        arena.plain(SLOW_PLAIN, name="T-2_plain_data-generator"),
    ]
    messages = [
        TaskMessage(
            type=names[number % 2],
            num_samples=SAMPLES,
            start_index=number // 2 * SAMPLES,
            seed=number,
            output_format="tar" if number % 10 >= 8 else "files",
        )
        for number in range(BATCHES)
    ]
    sqs = aws.sqs(embedded)
    for message in messages:
        sqs.send_message(QueueUrl=embedded.sqs_queue_url, MessageBody=message.to_json())

    chance, kills, started = random.Random(50), 0, time.monotonic()
    for _ in range(WORKERS):
        fleet.start()
    while kills < KILLS:
        time.sleep(chance.uniform(0.2, 2.5))
        busy = [process for process in fleet.running if process.poll() is None]
        assert busy, f"the run was over after {kills} kills: {fleet.log.read_text()[-2000:]}"
        fleet.kill(chance.choice(busy))
        fleet.start()
        kills += 1
    killing = time.monotonic() - started
    _until(lambda: all(process.poll() is not None for process in fleet.running))
    assert [process.returncode for process in fleet.running] == [0] * WORKERS, fleet.log.read_text()[-2000:]
    took = time.monotonic() - started

    # One more worker, which finds nothing to do: its start clears away what the others' deaths left.
    fleet.start()
    _until(lambda: fleet.running[-1].poll() is not None)
    survivors, left = (
        arena.survivors(),
        [str(path.relative_to(arena.temp)) for path in arena.temp.glob("*/*")],
    )
    arena.reap()
    with capsys.disabled():
        print(f"\n{kills} kills in {killing:.0f} s, {BATCHES} batches done after {took:.0f} s")

    store = aws.bucket(embedded)
    assert failures(store) == [], "a worker's death is no generator's failure"
    inventory = take_inventory(store)
    for name in names:
        span = IndexRange(0, BATCHES // 2 * SAMPLES)
        assert inventory[name].missing(span) == []
        assert inventory[name].torn(IndexRange(0, 100_000)) == 0
        assert inventory[name].strays(span.stop) == 0
    disturbed, calm = contents(store), contents(undisturbed(arena, messages))
    assert set(disturbed) == set(calm)
    assert [key for key in calm if disturbed[key] != calm[key]] == []
    with capsys.disabled():
        print(f"{len(calm)} objects, all as in a run that nobody disturbed")
    assert survivors == []
    assert left == []
    assert not list(arena.temp.iterdir())


def failures(store: ObjectStore) -> list[str]:
    """What failure records say."""
    found = [records.read(store, key, FailureRecord) for key, _ in sizes(store, keys.FAILURES)]
    return [f"{record.message.type} {record.message.indices}: {record.detail}" for record in found]


def undisturbed(arena, messages: list[TaskMessage]) -> MemoryStore:
    """The same batches, one after the other, by a worker that nobody kills."""
    store = MemoryStore()
    worker = Worker(arena.generators, lambda *_: store, arena.limits)
    for message in messages:
        worker.process(Delivery(message, message.seed, 1, 60))
    return store


def contents(store: ObjectStore) -> dict[str, Any]:
    """The dataset's objects; of archives what is in them, and of metadata all but the hour."""
    found: dict[str, Any] = {}
    for key, _ in sizes(store, "questions"):
        data = bytes(obstore.get(store, key).bytes())
        found[key] = _members(data) if key.endswith(".tar.gz") else _timeless(key, data)
    return found


def _members(archive: bytes) -> dict[str, bytes]:
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: _timeless(member.name, tar.extractfile(member).read()) for member in tar}


def _timeless(name: str, data: bytes) -> bytes:
    import json

    if not name.endswith("metadata.json"):
        return data
    return json.dumps({key: value for key, value in json.loads(data).items() if key != "timestamp"}).encode()


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + MOST_SECONDS
    while not true():
        assert time.monotonic() < end, (
            f"not in time; {len(psutil.Process().children(recursive=True))} children"
        )
        time.sleep(0.2)
