"""A local AWS for the command: one server for the session, a bucket and two queues of its own for each test."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import obstore
import pytest
from click.testing import CliRunner, Result

from tests.recorded import put_recorded
from vbvrdatafactory import aws
from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.core.config import Config

GENERATORS = ("G-3_maze_data-generator", "O-1_first_data-generator", "O-2_second_data-generator")
Run = Callable[..., Result]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that speaks S3 and SQS."""
    state, port = tmp_path_factory.mktemp("aws"), free_port()
    environment = {
        **os.environ,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_REGION": "us-east-2",
        "S3_DATA_DIR": str(state / "s3"),
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(state / "state"),
        "TMPDIR": str(state),
    }
    with (state / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, stdout=log, stderr=log
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/_ministack/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        with suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return
        assert server.poll() is None, "the local AWS ended before it was up"
        time.sleep(0.1)
    raise AssertionError("the local AWS did not come up")


class Place(NamedTuple):
    """Where one test's dataset lies."""

    config: Config
    sqs: Any
    s3: Any
    store: Any
    generators: Path

    def messages(self, url: str | None = None) -> list[dict[str, Any]]:
        """Every message waiting in the task queue (or `url`), taken out of it."""
        bodies = []
        while found := self.sqs.receive_message(
            QueueUrl=url or self.config.sqs_queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            bodies += [json.loads(message["Body"]) for message in found]
            for message in found:
                self.sqs.delete_message(
                    QueueUrl=url or self.config.sqs_queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
        return bodies

    def listed(self) -> list[str]:
        return sorted(item["path"] for page in obstore.list(self.store) for item in page)

    def put(self, key: str, data: bytes = b"x") -> None:
        obstore.put(self.store, key, data)

    def make(self, generator: str, indices: Iterable[int]) -> None:
        """Put whole samples there, as the worker would."""
        put_recorded(self.store, generator, indices)


@pytest.fixture(scope="session")
def clients(endpoint: str) -> tuple[Any, Any]:
    """boto3 clients of SQS and S3; slow to make, so there is one of each."""
    settings = Config(aws_endpoint_url=endpoint)
    return aws.sqs(settings), aws.s3(settings)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without addresses and credentials, in an empty folder."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.fixture
def place(endpoint: str, clients: tuple[Any, Any], bare: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    """A bucket, a queue, a dead letter queue and three generators, all named by the environment."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    sqs, s3 = clients
    make = aws.sqs
    bare.setattr(
        aws, "sqs", lambda config, *who: sqs if config.aws_endpoint_url == endpoint else make(config, *who)
    )
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    generators = tmp_path / "generators"
    for generator in GENERATORS:
        (generators / generator / "examples").mkdir(parents=True)
        (generators / generator / "examples" / "generate.py").write_text("")
    bare.setenv("AWS_ENDPOINT_URL", endpoint)
    bare.setenv("OUTPUT_BUCKET", name)
    bare.setenv("SQS_QUEUE_URL", sqs.create_queue(QueueName=name)["QueueUrl"])
    bare.setenv("SQS_DLQ_URL", sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"])
    bare.setenv("GENERATORS_PATH", str(generators))
    config = Config()
    return Place(config, sqs, s3, aws.bucket(config), generators)


@pytest.fixture
def run() -> Run:
    """Run the command in this process, e.g. ``run("report", "--json")``."""
    return lambda *args: CliRunner().invoke(cli, [str(arg) for arg in args])


@pytest.fixture
def installed() -> str:
    """The installed console script."""
    return str(Path(sys.executable).with_name("datafactory"))
