import os
import shutil
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import obstore
import pytest
from dotenv import dotenv_values

from infra import processes, server
from infra.addresses import EmbeddedInfo
from infra.local import EmbeddedAws
from infra.settings import STACK_ID
from infra.state import StateFolder
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import DataFactoryError

pytestmark = pytest.mark.aws

RoundTrip = Callable[..., dict[str, str]]


def kill(info: EmbeddedInfo, state_dir: Path) -> None:
    """End the server as a crash does: it saves nothing."""
    record = StateFolder(state_dir).read_record()
    assert record
    assert record.pid == info.pid
    os.kill(record.pid, signal.SIGKILL)
    assert processes.wait_gone(record.pid, record.token, 5)


def put(info: EmbeddedInfo, key: str) -> None:
    obstore.put(aws.bucket(info.config, info.bucket), key, b"x")


def keys(info: EmbeddedInfo) -> set[str]:
    return {one["path"] for page in aws.bucket(info.config, info.bucket).list() for one in page}


def attributes(info: EmbeddedInfo, queue_url: str) -> dict[str, Any]:
    found = aws.sqs(info.config).get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
    return dict(found["Attributes"])


def test_up_makes_the_stack(shared: EmbeddedAws) -> None:
    """Up gives a queue that gives up after three receives, its dead letter queue, and the bucket."""
    info = shared.up()
    redrive = attributes(info, info.queue_url)["RedrivePolicy"]
    assert '"maxReceiveCount":3' in redrive
    assert attributes(info, info.dead_letter_url)["QueueArn"] in redrive
    assert aws.s3(info.config).head_bucket(Bucket=info.bucket)
    assert info.bucket == "vbvr-datafactory"


def test_up_feeds_the_worker(shared: EmbeddedAws, round_trip: RoundTrip) -> None:
    """A message sent to the queue reaches the worker, and what it stores is in the bucket."""
    info = shared.up()
    seen = round_trip(info, "first")
    assert seen["OUTPUT_BUCKET"] == info.bucket
    assert seen["SQS_QUEUE_URL"] == info.queue_url
    assert seen["SQS_DLQ_URL"] == info.dead_letter_url
    assert seen["GENERATORS_PATH"] == str(info.generators_path)


def test_the_worker_sees_no_credential(shared: EmbeddedAws, round_trip: RoundTrip) -> None:
    """Neither the server nor the worker it starts finds the user's keys, profile or credentials file."""
    seen = round_trip(shared.up(), "environment")
    assert "a-real-secret" not in seen.values()
    assert "AWS_PROFILE" not in seen
    assert seen["AWS_SHARED_CREDENTIALS_FILE"] == seen["AWS_CONFIG_FILE"] == os.devnull
    assert seen["HOME"].endswith("state/tmp")


def test_up_writes_the_env_file(shared: EmbeddedAws) -> None:
    """The environment file leads a `Config` to everything."""
    info = shared.up()
    assert dotenv_values(info.env_file) == info.variables
    config = Config(env_file=info.env_file)
    assert (config.sqs_queue_url, config.sqs_dlq_url) == (info.queue_url, info.dead_letter_url)
    assert (config.output_bucket, config.aws_endpoint_url) == (info.bucket, info.endpoint)
    assert config.generators_path.is_absolute()
    assert config.is_embedded


def test_up_twice_changes_nothing(shared: EmbeddedAws) -> None:
    """A second up finds everything as it should be and leaves it alone."""
    first = shared.up()
    cloudformation = aws.client(first.config, "cloudformation")
    before = cloudformation.describe_stack_events(StackName=STACK_ID)["StackEvents"]
    assert shared.up() == first
    assert cloudformation.describe_stack_events(StackName=STACK_ID)["StackEvents"] == before


def test_two_ups_at_once_are_one(bare: EmbeddedAws) -> None:
    """Two commands that start it at the same time get the same server."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: bare.up(), range(2))
    assert first == second


def test_changed_code_updates_the_worker(
    embedded: EmbeddedAws, stub: Path, round_trip: RoundTrip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change of the worker's code, up makes the next message run the new code.

    All this in a shell whose DATAFACTORY_ENV_FILE names the file that up has yet to write.
    """
    monkeypatch.setenv("DATAFACTORY_ENV_FILE", "/not/yet/there.env")
    assert round_trip(embedded.up(), "before")["VERSION"] == "1"
    handler = stub / "handler.py"
    handler.write_text(handler.read_text().replace('"VERSION": "1"', '"VERSION": "2"'))
    assert round_trip(embedded.up(), "after")["VERSION"] == "2"


def test_generators_and_concurrency_can_change(
    embedded: EmbeddedAws,
    state_dir: Path,
    tmp_path: Path,
    stub: Path,
    round_trip: RoundTrip,
) -> None:
    """Another generators path reaches the worker and stays until another is given; so many run as asked."""
    embedded.up()
    other = tmp_path / "other generators"
    other.mkdir()
    EmbeddedAws(state_dir, other, worker_packages=[stub]).up()
    info = EmbeddedAws(state_dir, worker_packages=[stub], concurrency=7).up()
    mapping = aws.client(info.config, "lambda").get_event_source_mapping(UUID=info.event_source_mapping_id)
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == 7
    assert info.generators_path == other
    assert round_trip(info, "moved")["GENERATORS_PATH"] == str(other)


def test_a_stop_keeps_everything(embedded: EmbeddedAws, state_dir: Path, round_trip: RoundTrip) -> None:
    """After down and up the addresses, the objects and the waiting messages are there."""
    first = embedded.up()
    put(first, "kept")
    aws.sqs(first.config).send_message(QueueUrl=first.dead_letter_url, MessageBody="dead")
    embedded.down()
    second = embedded.up()
    assert replace(second, pid=first.pid) == first
    assert keys(second) == {"kept"}
    assert attributes(second, second.dead_letter_url)["ApproximateNumberOfMessages"] == "1"
    round_trip(second, "after")


def test_another_port_is_made_right(embedded: EmbeddedAws, round_trip: RoundTrip) -> None:
    """If the port was taken meanwhile, the queues move with the server and still feed the worker."""
    first = embedded.up()
    embedded.down()
    port = int(first.endpoint.rpartition(":")[2])
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        second = embedded.up()
    assert second.endpoint != first.endpoint
    assert second.queue_url == first.queue_url.replace(first.endpoint, second.endpoint)
    assert round_trip(second, "moved")["SQS_QUEUE_URL"] == second.queue_url


def test_a_crash_keeps_the_bucket(embedded: EmbeddedAws, state_dir: Path, round_trip: RoundTrip) -> None:
    """After a kill, up makes new queues around the same bucket with its objects."""
    first = embedded.up()
    put(first, "kept")
    kill(first, state_dir)
    second = embedded.up()
    assert second.bucket == first.bucket
    assert keys(second) == {"kept"}
    round_trip(second, "after")


def test_a_crash_after_a_stop_keeps_the_bucket(embedded: EmbeddedAws, state_dir: Path) -> None:
    """A kill brings back the state of the last stop, but the bucket as it was at the kill."""
    put(embedded.up(), "early")
    embedded.down()
    info = embedded.up()
    put(info, "late")
    obstore.delete(aws.bucket(info.config, info.bucket), "early")
    kill(info, state_dir)
    assert keys(embedded.up()) == {"late"}


def test_down_leaves_no_process(
    embedded: EmbeddedAws,
    state_dir: Path,
    round_trip: RoundTrip,
    processes_below: Callable[[Path], list[int]],
) -> None:
    """Down ends the server, its warm workers, and what they started in sessions of their own."""
    round_trip(embedded.up(), "busy", run=["sleep", "300"])
    assert len(processes_below(state_dir)) == 3
    assert embedded.down()
    assert processes_below(state_dir) == []


def test_down_twice(bare: EmbeddedAws) -> None:
    """Stopping what does not run is no error, and says so."""
    bare.up()
    assert bare.down()
    assert not bare.down()


def test_status(shared: EmbeddedAws) -> None:
    """Status tells what runs and where."""
    info = shared.up()
    status = shared.status()
    assert (status.pid, status.endpoint, status.info) == (info.pid, info.endpoint, info)
    assert status.stack_status == "CREATE_COMPLETE"


def test_status_of_nothing(embedded: EmbeddedAws) -> None:
    """Status of what was never started is that it does not run, and starts nothing."""
    status = embedded.status()
    assert (status.running, status.info) == (False, None)


def test_a_hung_server_is_replaced(bare: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer is stopped and started anew."""
    first = bare.up()
    real = server.answers
    monkeypatch.setattr(server, "answers", lambda record, *_: record.pid != first.pid and real(record))
    assert bare.up().pid != first.pid


def test_reset_starts_over(embedded: EmbeddedAws, state_dir: Path) -> None:
    """After a reset the bucket is empty, and only the lock files remained between."""
    put(embedded.up(), "gone")
    embedded.reset()
    assert {entry.name for entry in state_dir.iterdir()} <= {"lock", "users"}
    assert keys(embedded.up()) == set()


def test_a_failed_stack_leaves_nothing_running(
    state_dir: Path, tmp_path: Path, stub: Path, processes_below: Callable[[Path], list[int]]
) -> None:
    """If the stack cannot be made, the error says which resource and why, and the server is stopped."""
    template = tmp_path / "broken.json"
    template.write_text(
        '{"Parameters": {"CodeBucket": {"Type": "String"}, "CodeKey": {"Type": "String"},'
        ' "GeneratorsPath": {"Type": "String"}},'
        ' "Resources": {"Tasks": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": -1}}}}'
    )
    broken = EmbeddedAws(state_dir, tmp_path, worker_packages=[stub], template=template)
    with pytest.raises(DataFactoryError, match=r"Tasks: .*VisibilityTimeout"):
        broken.up()
    assert processes_below(state_dir) == []


def test_missing_generators_are_named(state_dir: Path, tmp_path: Path, stub: Path) -> None:
    """A generators path that is no folder is refused by name."""
    with pytest.raises(DataFactoryError, match="nowhere"):
        EmbeddedAws(state_dir, tmp_path / "nowhere", worker_packages=[stub]).up()


def test_running_stops_what_it_started(bare: EmbeddedAws, is_up: Callable[[], bool]) -> None:
    """Inside the block it runs; after it, even after an error in it, it does not."""
    inside = []

    def fail() -> None:
        with bare.running():
            inside.append(is_up())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert inside == [True]
    assert not is_up()


def test_running_leaves_what_was_up(bare: EmbeddedAws, is_up: Callable[[], bool]) -> None:
    """What was up before the block is up after it."""
    bare.up()
    with bare.running():
        pass
    assert is_up()


def test_up_inside_running_keeps_it(bare: EmbeddedAws, is_up: Callable[[], bool]) -> None:
    """Who says up while a block runs keeps it when the block ends."""
    with bare.running():
        bare.up()
    assert is_up()


def test_a_start_that_fails_changes_nothing(
    bare: EmbeddedAws, state_dir: Path, is_up: Callable[[], bool]
) -> None:
    """What ran for a while goes on to run for a while, what nobody else uses stops, what another joined goes on."""
    joined = ExitStack()

    def fail(join: AbstractContextManager[object] = nullcontext()) -> None:  # noqa: B008
        with EmbeddedAws(state_dir).starting():
            joined.enter_context(join)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not is_up()
    with bare.running():
        with pytest.raises(ZeroDivisionError):
            fail()
        assert is_up()
    assert not is_up()
    with pytest.raises(ZeroDivisionError):
        fail(bare.running())
    assert is_up()
    joined.close()
    assert not is_up()


def test_a_start_that_ends_well_stays(bare: EmbeddedAws, is_up: Callable[[], bool]) -> None:
    """From then on it runs, whoever used it meanwhile."""
    with bare.running(), bare.starting():
        pass
    assert is_up()


def test_the_last_to_leave_stops_it(bare: EmbeddedAws, state_dir: Path, is_up: Callable[[], bool]) -> None:
    """Two blocks at the same time share the server, and it stays until the second one ends."""
    with EmbeddedAws(state_dir).running() as second:
        with bare.running() as first:
            assert first.pid == second.pid
        assert is_up()
    assert not is_up()


@pytest.fixture
def checkouts(tmp_path: Path) -> tuple[Path, Path]:
    """Two checkouts' folders with generators of their own; the second is there after a copy."""
    (tmp_path / "original" / "generators").mkdir(parents=True)
    return tmp_path / "original", tmp_path / "copy of it"


def test_a_copied_checkout_leaves_the_original_alone(
    checkouts: tuple[Path, Path], stub: Path, round_trip: RoundTrip
) -> None:
    """Up, down and reset in a copy of a checkout that is up reach its own server, bucket and generators."""
    original, copy = checkouts
    first = EmbeddedAws(original / ".datafactory", original / "generators", worker_packages=[stub])
    try:
        put(first.up(), "kept")
        first.down()
        info = first.up()
        shutil.copytree(original, copy)
        second = EmbeddedAws(copy / ".datafactory", worker_packages=[stub])
        assert not second.status().running
        assert not second.down()
        other = second.up()
        assert other.pid != info.pid
        assert other.generators_path == copy / "generators"
        assert round_trip(other, "made")["GENERATORS_PATH"] == str(copy / "generators")
        second.reset()
        assert first.status().info == info
        assert keys(info) == {"kept"}
    finally:
        first.down()
