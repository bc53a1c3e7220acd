"""Whatever somebody sends, the worker runs nothing for it, touches nothing outside, and says what was wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

from lambda_worker import batch
from lambda_worker import handler as module
from lambda_worker.generator.run import GeneratorRun, RunRequest
from lambda_worker.generator.sandbox import Sandbox
from tests.lambda_worker.test_handler import Context, Queue, body, queue
from tests.malicious_messages import BODIES, GENERATOR
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.s3.listing import sizes
from vbvrdatafactory.s3.records import read

__all__ = ["queue"]


@pytest.fixture
def ran(tiny: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run; the generator that all messages name is there."""
    tiny(GENERATOR)
    ran: list[str] = []
    run = batch.run_generator

    def noted(box: Sandbox, job: RunRequest, *rest: Any) -> GeneratorRun:
        ran.append(job.generator.name)
        return run(box, job, *rest)

    monkeypatch.setattr(batch, "run_generator", noted)
    return ran


def tree(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("name", BODIES)
def test_it_is_a_named_failure(
    queue: Queue,
    store: MemoryStore,
    ran: list[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    """It is a dead letter at once, with cause and reason as text; its record lies where such records lie, and nothing else does."""
    text, says = BODIES[name]
    before = tree(tmp_path)
    # SQS takes no control characters; in JSON they are escaped.
    records = queue.receive(text)
    assert module.handler({"Records": records}, Context()) == {"batchItemFailures": []}
    (letter,) = queue.dead()
    said = {key: value["StringValue"] for key, value in letter["MessageAttributes"].items()}
    assert (letter["Body"], said["cause"]) == (text, Cause.INVALID_MESSAGE)
    assert said["detail"] == for_terminal(said["detail"])
    ((key, _),) = sizes(store, "")
    assert key == keys.unreadable(records[0]["messageId"])
    record = read(store, key, FailureRecord)
    assert (record.cause, record.body, record.message) == (Cause.INVALID_MESSAGE, text[:10_000], None)
    assert says in record.detail
    assert len(record.detail) < 2000
    assert all(for_terminal(line.message) == line.message for line in caplog.records)
    assert (ran, tree(tmp_path)) == ([], before)


def test_the_generator_would_have_run(queue: Queue, ran: list[str]) -> None:
    """The same message, well formed, runs it: what is tested above can fail."""
    module.handler({"Records": queue.receive(body(GENERATOR))}, Context())
    assert ran == [GENERATOR]


@pytest.mark.parametrize(
    "bare",
    [{"type": "../x", "num_samples": 2}, {"num_samples": 2}, {"type": GENERATOR, "num_samples": True}, {}],
)
def test_a_bare_message_is_refused_too(
    queue: Queue, ran: list[str], store: MemoryStore, bare: dict[str, Any]
) -> None:
    """Invoked directly, the error of the invocation names the field."""
    with pytest.raises(ValueError, match="type|num_samples"):
        module.handler(bare, Context())
    assert (ran, [*sizes(store, "")]) == ([], [])
