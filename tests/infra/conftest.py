"""Templates synthesised once, and embedded AWSs whose worker is a stub of twenty lines."""

import json
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from infra import node

node.use_packaged_node()

import aws_cdk as cdk  # noqa: E402 - importing it starts Node.js
from aws_cdk.assertions import Template  # noqa: E402

from infra import nag, paths, server  # noqa: E402
from infra.addresses import EmbeddedInfo  # noqa: E402
from infra.local import EmbeddedAws  # noqa: E402
from infra.settings import LOCAL, StackSettings  # noqa: E402
from infra.stack import PipelineStack  # noqa: E402
from infra.state import ServerRecord, StateFolder  # noqa: E402
from vbvrdatafactory import aws  # noqa: E402

Synthesise = Callable[..., Template]
RoundTrip = Callable[..., dict[str, str]]

SOMEWHERE = EmbeddedInfo(
    endpoint="http://127.0.0.1:1",
    queue_url="http://127.0.0.1:1/0/tasks",
    dead_letter_url="http://127.0.0.1:1/0/dead",
    bucket="local",
    bucket_folder=Path("bucket-folder"),
    function_name="worker",
    event_source_mapping_id="1",
    generators_path=Path("/generators"),
    env_file=Path("/state/local.env"),
    pid=1,
)

STUB = textwrap.dedent("""
    import json, os, subprocess, sys
    import boto3

    def handler(event, context):
        for record in event["Records"]:
            task = json.loads(record["body"])
            if "run" in task:
                subprocess.Popen(task["run"], stdout=subprocess.DEVNULL, start_new_session=True)
            body = json.dumps({**os.environ, "VERSION": "1"})
            boto3.client("s3").put_object(Bucket=os.environ["OUTPUT_BUCKET"], Key=task["key"], Body=body)
        return {"batchItemFailures": []}
""")


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory) -> Synthesise:
    """The template of the stack with some settings, checked by cdk-nag."""

    def synthesise(settings: StackSettings) -> Template:
        app = cdk.App(outdir=str(tmp_path_factory.mktemp("cdk")), analytics_reporting=False)
        stack = PipelineStack(app, settings)
        nag.check(app)
        app.synth()
        return Template.from_stack(stack)

    return synthesise


@pytest.fixture(scope="session")
def on_aws(synthesise: Synthesise) -> Template:
    """The stack as `cdk deploy` ships it by default."""
    return synthesise(StackSettings())


@pytest.fixture(scope="session")
def embedded_template() -> dict[str, Any]:
    """The committed template of the embedded AWS."""
    template: dict[str, Any] = json.loads(paths.LOCAL_TEMPLATE.read_text())
    return template


@pytest.fixture(scope="session")
def full(synthesise: Synthesise) -> dict[str, dict[str, Any]]:
    """Both packagings of the stack as plain JSON."""
    return {name: synthesise(one).to_json() for name, one in (("image", StackSettings()), ("zip", LOCAL))}


def write_stub(folder: Path) -> Path:
    package = folder / "stub" / "lambda_worker"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "handler.py").write_text(STUB)
    return package


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """The package of a worker that stores its environment under the key a message names."""
    return write_stub(tmp_path)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An embedded AWS that is up, for tests that do not stop or change it."""
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "a-real-secret")
        one = EmbeddedAws(folder / "state", folder, worker_packages=[write_stub(folder)], concurrency=2)
        one.up()
    yield one
    one.down()


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def embedded(tmp_path: Path, state_dir: Path, stub: Path) -> Iterator[EmbeddedAws]:
    """An embedded AWS of the test's own, not yet started, and stopped at the end."""
    one = EmbeddedAws(state_dir, tmp_path, worker_packages=[stub], concurrency=2)
    yield one
    one.down()


@pytest.fixture
def bare(embedded: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> EmbeddedAws:
    """An embedded AWS that starts and stops like any other but makes no stack, which is most of the time."""

    def addresses(_: EmbeddedAws, record: ServerRecord) -> EmbeddedInfo:
        return replace(SOMEWHERE, endpoint=server.endpoint(record.port), pid=record.pid)

    monkeypatch.setattr(EmbeddedAws, "_deploy", addresses)
    return embedded


@pytest.fixture
def is_up(state_dir: Path) -> Callable[[], bool]:
    """Whether the test's server runs."""
    return lambda: server.running(StateFolder(state_dir)) is not None


@cache
def client(info: EmbeddedInfo, service: str) -> Any:
    return aws.client(info.config, service)


@pytest.fixture
def round_trip() -> RoundTrip:
    """Send the stub a task and wait for what it stores: its environment."""

    def round_trip(info: EmbeddedInfo, key: str, **task: object) -> dict[str, str]:
        body = json.dumps({"key": key, **task})
        client(info, "sqs").send_message(QueueUrl=info.queue_url, MessageBody=body)
        return wait_for_object(info, key)

    return round_trip


def wait_for_object(info: EmbeddedInfo, key: str, seconds: float = 300) -> dict[str, str]:
    s3 = client(info, "s3")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if s3.list_objects_v2(Bucket=info.bucket, Prefix=key)["KeyCount"]:
            found: dict[str, str] = json.loads(s3.get_object(Bucket=info.bucket, Key=key)["Body"].read())
            return found
        time.sleep(0.05)
    raise AssertionError(f"no object {key!r} within {seconds} s")


@pytest.fixture
def somewhere() -> EmbeddedInfo:
    """The addresses of an embedded AWS that does not exist."""
    return SOMEWHERE


@pytest.fixture
def processes_below() -> Callable[[Path], list[int]]:
    """Ids of the processes whose environment or command line names a folder."""

    def processes_below(folder: Path) -> list[int]:
        needle = str(folder).encode()
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if needle in _seen_of(entry)]

    return processes_below


def _seen_of(entry: Path) -> bytes:
    try:
        return (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
    except OSError:
        return b""
