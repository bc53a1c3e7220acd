"""The worker's image, built here and run as Lambda runs it, behind the real Runtime Interface Client: `make image-test`.

The base is made of Debian's packages, or named by ``IMAGE_TEST_BASE``.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import obstore
import psutil
import pytest
from obstore.store import MemoryStore, ObjectStore

from infra.addresses import EmbeddedInfo
from infra.local import EmbeddedAws
from infra.paths import GENERATORS
from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from lambda_worker.version import worker_version
from tests.soak.buildah import Image, buildah, copy_context, missing
from tests.soak.runtime_api import RuntimeApi
from vbvrdatafactory import aws
from vbvrdatafactory.core.generators_lock import (
    INSTALLED,
    REQUIREMENTS,
    LockedEnvironment,
    environment_digest,
    environment_id,
)
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.fleet.lock_writer import write_lock
from vbvrdatafactory.lockfile import read_lock

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(bool(missing()), reason=missing() or "it can be built here"),
]

DIGEST = f"sha256:{'5e' * 32}"
FUNCTION_SECONDS = 120
FROZEN_SECONDS = 20
MESSAGES = [
    *(
        TaskMessage(type=name.name, num_samples=3, start_index=6, seed=1234, output_format=output_format)
        for name in sorted(GENERATORS.glob("V-[123]_*"))
        for output_format in ("files", "tar")
    )
]
PROBE = """
import ctypes, errno, json, os
library = ctypes.CDLL(None, use_errno=True)

def said(call):
    try:
        answer = call()
    except OSError as error:
        return errno.errorcode[error.errno]
    return errno.errorcode[ctypes.get_errno()] if isinstance(answer, int) and answer < 0 else "allowed"

def write(path):
    return said(lambda: open(path, "w").close())

status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(json.dumps({
    "user": os.getuid(),
    "capabilities": {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0},
    "/": write("/mine"), "/opt/generators": write("/opt/generators/mine"), "/var/task": write("mine"),
    "/tmp": write("/tmp/mine"), "/dev/shm": os.path.exists("/dev/shm"),
    "namespace": said(lambda: library.unshare(0x10000000)),
    "trace": said(lambda: library.ptrace(0, 0, 0, 0)),
    "landlock": said(lambda: library.syscall(444, None, 0, 1)),
}))
"""


def share_packages(generators: Path) -> str:
    """Lock a second environment that has packages of the first one; its id."""
    lock = read_lock(generators)
    assert lock is not None
    (first,) = lock.environments
    text = (generators / REQUIREMENTS / f"{first}.txt").read_text()
    fewer = text[text.index("numpy==") :]
    digest = environment_digest(fewer, lock.python, lock.platform)
    name = environment_id(digest)
    (generators / REQUIREMENTS / f"{name}.txt").write_text(fewer)
    more = {name: LockedEnvironment(digest=digest, python=lock.python)}
    write_lock(generators, lock.model_copy(update={"environments": {**lock.environments, **more}}))
    return name


class Built(NamedTuple):
    """The image, with the id of an environment that shares packages with the generators'."""

    image: Image
    shares: str


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Built]:
    context = copy_context(tmp_path_factory.mktemp("context"))
    shares = share_packages(context / "generators")
    with buildah() as builder:
        base = os.environ.get("IMAGE_TEST_BASE") or builder.make_base()
        started = time.monotonic()
        image = builder.build(base, context)
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(
                f"\nbuilt in {time.monotonic() - started:.0f} s; {re.findall('the image has .*', image.log)[-1]}"
            )
        yield Built(image, shares)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedInfo]:
    """An embedded AWS whose own worker takes no message."""
    with EmbeddedAws(tmp_path_factory.mktemp("state"), GENERATORS).running() as info:
        aws.client(info.config, "lambda").update_event_source_mapping(
            UUID=info.event_source_mapping_id, Enabled=False
        )
        yield info


class Function(NamedTuple):
    """A running function: its Runtime API, its process, and the seconds until it asked for work."""

    api: RuntimeApi
    process: subprocess.Popen[bytes]
    cold_seconds: float


Start = Callable[[], Any]


@pytest.fixture
def start(built: Built, embedded: EmbeddedInfo, tmp_path: Path) -> Start:
    """Starts the function on the image."""

    @contextmanager
    def running() -> Iterator[Function]:
        log = tmp_path / "function.log"
        with RuntimeApi(FUNCTION_SECONDS).open() as api, log.open("wb") as file:
            variables = {
                name: value for name, value in embedded.variables.items() if name != "GENERATORS_PATH"
            }
            environment = {
                **variables,
                "AWS_LAMBDA_RUNTIME_API": api.address,
                "AWS_LAMBDA_FUNCTION_NAME": "worker",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
                "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "IMAGE_DIGEST": DIGEST,
            }
            command = [*built.image.config["Entrypoint"], *built.image.config["Cmd"]]
            started = time.monotonic()
            process = built.image.start(command, environment, stdout=file, stderr=subprocess.STDOUT)
            try:
                assert api.is_ready.wait(60), log.read_text(errors="replace")[-3000:]
                yield Function(api, process, time.monotonic() - started)
                assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            finally:
                process.kill()
                process.wait()

    return running


def event(info: EmbeddedInfo, *bodies: str) -> dict[str, list[dict[str, object]]]:
    """What Lambda hands over of these messages, once SQS has had them."""
    sqs, records = aws.sqs(info.config), []
    for body in bodies:
        sqs.send_message(QueueUrl=info.queue_url, MessageBody=body, MessageGroupId="one")
        (got,) = sqs.receive_message(
            QueueUrl=info.queue_url, WaitTimeSeconds=5, MessageSystemAttributeNames=["All"]
        )["Messages"]
        records.append(
            {
                "messageId": got["MessageId"],
                "receiptHandle": got["ReceiptHandle"],
                "body": got["Body"],
                "attributes": got["Attributes"],
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
        )
    return {"Records": records}


def objects(store: ObjectStore, prefix: str) -> dict[str, bytes]:
    return {
        one["path"]: bytes(obstore.get(store, one["path"]).bytes())
        for page in obstore.list(store, prefix=prefix)
        for one in page
    }


def made_here(message: TaskMessage) -> dict[str, bytes]:
    """The objects that the worker of this checkout makes of a message."""
    store = MemoryStore()
    Worker(GENERATORS, lambda *_: store).process(Delivery(message, message.seed or 0, 1, 120))
    return objects(store, "questions/")


def test_nothing_of_the_build_is_in_the_image(built: Built) -> None:
    """Neither uv, pip's cache, what was mounted or copied for the build, nor a compiler; and the user is not root."""
    root = built.image.root
    unwanted = {"uv", "uvx", "cc", "gcc", "c++", "make", "cmake"}
    folders = [root / "usr/bin", root / "usr/local/bin", root / "opt/worker/bin", root / "opt"]
    assert [name for folder in folders for name in unwanted if (folder / name).exists()] == []
    assert not [path for path in ("build", "root/.cache", "run/secrets") if any((root / path).glob("**/*"))]
    assert not (root / "opt" / "generators" / ".cache").exists()
    assert built.image.config["User"] == "993:990"


def test_environments_share_their_files(built: Built) -> None:
    """A package that two environments have lies there once, also when the image was packed into layers and unpacked."""
    places = sorted((built.image.root / "opt" / "generators" / INSTALLED).glob("[0-9a-f]*"))
    assert built.shares in {place.name for place in places}
    found = [next(place.glob("lib/python*/site-packages/numpy/__init__.py")).stat() for place in places]
    assert len(found) == 2
    assert len({one.st_ino for one in found}) == 1


def test_what_made_the_samples_is_inside(built: Built) -> None:
    """The lock with every generator's commit and tree; bytecode of generators, worker and environments, for their Python."""
    generators = built.image.root / "opt" / "generators"
    inside, here = read_lock(generators), read_lock(GENERATORS)
    assert inside is not None
    assert here is not None
    assert inside.generators == here.generators
    tag = f"cpython-{inside.python.replace('.', '')}"
    for name in here.generators:
        sources = [*(generators / name / "src").glob("*.py")]
        assert sources
        assert [one.name for one in sources if not compiled(one, tag).exists()] == []
    (worker,) = (built.image.root / "opt" / "worker" / "lib").glob("python*/site-packages/lambda_worker")
    assert [
        one.name for one in worker.glob("*.py") if not [*worker.glob(f"__pycache__/{one.stem}.*.pyc")]
    ] == []
    assert compiled(worker / "generator" / "streaming.py", tag).exists()


def compiled(source: Path, tag: str) -> Path:
    return source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"


def test_it_is_confined_as_on_lambda(built: Built) -> None:
    """Where these tests run it nothing but /tmp can be written; no namespace, trace, Landlock, capability or /dev/shm."""
    process = built.image.start(["/opt/worker/bin/python", "-c", PROBE], {}, stdout=subprocess.PIPE)
    said, _ = process.communicate(timeout=60)
    assert json.loads(said) == {
        "user": 993,
        "capabilities": True,
        "/": "EROFS",
        "/opt/generators": "EROFS",
        "/var/task": "EROFS",
        "/tmp": "allowed",
        "/dev/shm": False,
        "namespace": "EPERM",
        "trace": "EPERM",
        "landlock": "ENOSYS",
    }


def test_it_makes_the_same_bytes(
    start: Start, embedded: EmbeddedInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every generator's samples, as files and as archives, are those of the worker outside; receipts say which image."""
    store = aws.bucket(embedded.config)
    with start() as function:
        seconds = []
        for message in MESSAGES:
            before = objects(store, "questions/")
            answer = function.api.invoke(event(embedded, message.to_json()))
            assert (answer.kind, answer.body) == ("response", {"batchItemFailures": []})
            seconds.append(answer.seconds)
            made = {
                key: data for key, data in objects(store, "questions/").items() if before.get(key) != data
            }
            assert made == made_here(message)
    receipts = [
        Receipt.model_validate_json(data) for data in objects(store, "_datafactory/receipts/").values()
    ]
    assert len(receipts) == len(MESSAGES)
    assert {one.made_by.worker for one in receipts if one.made_by} == {f"{worker_version()} {DIGEST}"}
    with capsys.disabled():
        print(
            f"\ncold start {function.cold_seconds:.1f} s, first batch {seconds[0]:.1f} s, then {seconds[1:]}"
        )


def test_it_works_on_after_it_was_frozen(start: Start, embedded: EmbeddedInfo) -> None:
    """Between two invocations every process of it stands still for a while; the next batch is made, and none is left over."""
    first, second = (
        MESSAGES[0].model_copy(update={"start_index": index, "seed": index}) for index in (100, 200)
    )
    with start() as function:
        assert function.api.invoke(event(embedded, first.to_json())).body == {"batchItemFailures": []}
        frozen = psutil.Process(function.process.pid).children(recursive=True)
        # unshare's child, and the runtime interface client: no generator and no gate outlives its batch.
        assert len(frozen) == 2
        for process in frozen:
            process.suspend()
        time.sleep(FROZEN_SECONDS)
        for process in frozen:
            process.resume()
        assert function.api.invoke(event(embedded, second.to_json())).body == {"batchItemFailures": []}


def test_a_bad_message_does_not_harm_its_neighbour(start: Start, embedded: EmbeddedInfo) -> None:
    """Of two records the malformed one is a named failure in the dead letter queue, and the other is made."""
    good = MESSAGES[0].model_copy(update={"start_index": 300, "seed": 300})
    with start() as function:
        answer = function.api.invoke(event(embedded, '{"type": ', good.to_json()))
        assert (answer.kind, answer.body) == ("response", {"batchItemFailures": []})
    letters = aws.sqs(embedded.config).receive_message(
        QueueUrl=embedded.dead_letter_url, WaitTimeSeconds=5, MessageAttributeNames=["All"]
    )["Messages"]
    assert [one["MessageAttributes"]["cause"]["StringValue"] for one in letters] == ["invalid-message"]
    made = [key for key in objects(aws.bucket(embedded.config), "questions/") if "_0300/" in key]
    assert made
