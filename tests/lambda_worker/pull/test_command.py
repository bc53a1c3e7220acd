"""`datafactory worker` as a user runs it, on an embedded AWS whose Lambda takes no messages."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.local import EmbeddedAws
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.s3.listing import take_inventory
from vbvrdatafactory.sqs.depth import Depth, depth

COMMAND = [str(Path(sys.executable).parent / "datafactory")]
TINY = Path(__file__).parents[2] / "data" / "tiny_generator"
# A bound on what would hang: a busy machine takes many times what an idle one does.
MINUTES = 300
SUMMARY = re.compile(r"(\d+) batch(?:es)? done, (\d+) failed(?:, (\d+) released)?, (\d+) samples in ")


@dataclass(frozen=True)
class Factory:
    """The embedded AWS as a test sees it."""

    config: Config
    env_file: Path
    generators: Path

    @property
    def sqs(self) -> Any:
        return aws.sqs(self.config)

    def add_generator(self, name: str, **behaviour: object) -> str:
        shutil.copytree(TINY, self.generators / name)
        (self.generators / name / "behaviour.json").write_text(json.dumps(behaviour))
        return name

    def send(self, generator: str, batches: int, samples: int) -> None:
        for batch in range(batches):
            body = {"type": generator, "num_samples": samples, "start_index": batch * samples, "seed": batch}
            self.sqs.send_message(QueueUrl=self.config.sqs_queue_url, MessageBody=json.dumps(body))

    def whole(self, generator: str) -> int:
        return take_inventory(aws.bucket(self.config))[generator].whole(IndexRange(0, 1000))

    def depth(self) -> Depth:
        return depth(self.sqs, self.config.sqs_queue_url)

    def start(self, *options: str, **more: Any) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}
        return subprocess.Popen([*COMMAND, "--env-file", str(self.env_file), "worker", *options], **pipes)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    generators = tmp_path_factory.mktemp("generators")
    with EmbeddedAws(tmp_path_factory.mktemp("state"), generators).running() as info:
        aws.client(info.config, "lambda").update_event_source_mapping(
            UUID=info.event_source_mapping_id, Enabled=False
        )
        yield Factory(info.config, info.env_file, generators)


@pytest.fixture
def factory(running: Factory) -> Iterator[Factory]:
    yield running
    running.sqs.purge_queue(QueueUrl=running.config.sqs_queue_url)


def until(true: Callable[[], object], seconds: float = MINUTES) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def summary(line: str) -> tuple[int, ...]:
    """Batches done, failed and released, and samples."""
    found = SUMMARY.search(line)
    assert found, line
    return tuple(int(number or 0) for number in found.groups())


def generator_runs(name: str) -> bool:
    """Whether any process works in a folder of the generator."""
    return any(name in (process.info["cwd"] or "") for process in psutil.process_iter(["cwd"]))


@pytest.mark.aws
def test_two_workers_share_a_queue(factory) -> None:
    """Two workers drain one queue: every sample is whole, every batch made once, nothing is left, both exit 0."""
    go_on = factory.generators / "go-on"
    name = factory.add_generator("T-shared", held=str(go_on))
    factory.send(name, batches=20, samples=3)
    workers = [factory.start("--until-empty", "--concurrency", "2") for _ in range(2)]
    # Each has what it can hold: none made all before the other one began.
    until(lambda: factory.depth().in_flight == 4)
    go_on.touch()
    ends = [worker.communicate(timeout=MINUTES) for worker in workers]
    done = [summary(out.splitlines()[-1]) for out, _ in ends]
    assert factory.whole(name) == 60
    assert [worker.returncode for worker in workers] == [0, 0]
    assert (done[0][0] + done[1][0], done[0][3] + done[1][3]) == (20, 60)
    assert min(done)[0] > 0
    assert factory.depth().total == 0
    assert all(len(out.splitlines()) == 1 and "WARNING" not in err for out, err in ends)


@pytest.mark.aws
def test_what_a_killed_worker_held_is_made_by_another(factory) -> None:
    """After SIGKILL in mid-batch, another worker makes the batch when the lease ends."""
    go_on = factory.generators / "go-on-killed"
    name = factory.add_generator("T-killed", held=str(go_on))
    factory.send(name, batches=1, samples=3)
    first = factory.start("--visibility-timeout", "6")
    until(lambda: generator_runs(name))
    first.kill()
    first.communicate()
    assert (factory.whole(name), factory.depth().in_flight) == (0, 1)
    go_on.touch()
    second = factory.start("--until-empty")
    out, _ = second.communicate(timeout=MINUTES)
    assert (factory.whole(name), summary(out)[:2], factory.depth().total) == (3, (1, 0), 0)


@pytest.mark.aws
def test_sigterm_gives_the_messages_back(factory) -> None:
    """On SIGTERM generators end, messages are visible at once, and the worker exits 0 without waiting for them."""
    name = factory.add_generator("T-stopped", hang=2 * MINUTES)
    factory.send(name, batches=2, samples=3)
    worker = factory.start("--concurrency", "2")
    until(lambda: factory.depth().in_flight == 2 and generator_runs(name))
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=MINUTES)
    assert (worker.returncode, summary(out)) == (0, (0, 0, 2, 0))
    assert factory.depth() == Depth(2, 0, 0)
    assert not generator_runs(name)
    assert "running batches that are ended and released: 2" in err
    assert "did not end in time" not in err


@pytest.mark.aws
def test_a_terminal_shows_what_runs(factory) -> None:
    """On a terminal a table shows each running batch and the totals, and Ctrl-C stops in good order."""
    name = factory.add_generator("T-shown", hang=2 * MINUTES)
    factory.send(name, batches=1, samples=7)
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    worker = factory.start(
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, preexec_fn=take_terminal
    )
    os.close(theirs)
    seen = read_until(ours, lambda text: re.search(name + r"\s+0-6\s+7\s+1\s", text) and "in flight" in text)
    os.write(ours, b"\x03")
    seen = read_until(ours, SUMMARY.search)
    assert worker.wait(MINUTES) == 0
    assert summary(seen) == (0, 0, 1, 0)
    assert factory.depth().waiting == 1


def take_terminal() -> None:
    """Make descriptor 0 the terminal that Ctrl-C comes from."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def read_until(terminal: int, true: Callable[[str], object], seconds: float = MINUTES) -> str:
    """What the terminal shows, colours and moves of the cursor left out, once `true` of it holds."""
    text, deadline = "", time.monotonic() + seconds
    while not true(text):
        assert time.monotonic() < deadline, text
        if select.select([terminal], [], [], 0.2)[0]:
            text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(terminal, 65536).decode(errors="replace"))
    return text


@pytest.mark.aws
def test_a_queue_that_is_not_there_ends_it(factory) -> None:
    """A wrong address is one line with the next move, not a worker that waits for ever."""
    factory.add_generator("T-any")
    wrong = {**os.environ, "SQS_QUEUE_URL": factory.config.sqs_queue_url + "x"}
    worker = factory.start(env=wrong)
    _, err = worker.communicate(timeout=MINUTES)
    assert worker.returncode == 1
    assert "are SQS_QUEUE_URL and AWS_REGION the stack's?" in err


def test_a_machine_without_generators_takes_no_message(tmp_path) -> None:
    """Where there is no generator every batch would fail, so the worker says so and takes none."""
    addresses = {
        "SQS_QUEUE_URL": "http://127.0.0.1:9/q",
        "OUTPUT_BUCKET": "bucket",
        "AWS_REGION": "us-east-2",
    }
    environment = {**os.environ, **addresses, "GENERATORS_PATH": str(tmp_path)}
    ended = subprocess.run(
        [*COMMAND, "worker"], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=MINUTES
    )
    assert ended.returncode == 1
    assert f"no generator in GENERATORS_PATH='{tmp_path}'" in ended.stderr


def test_an_address_that_is_not_set_is_named(tmp_path) -> None:
    """Without SQS_QUEUE_URL the worker names it and says where it comes from."""
    ended = subprocess.run(
        [*COMMAND, "worker"], cwd=tmp_path, capture_output=True, text=True, timeout=MINUTES
    )
    assert ended.returncode == 1
    assert "SQS_QUEUE_URL is not set" in ended.stderr
