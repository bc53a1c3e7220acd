"""A message is hidden for minutes while its batch runs, so that a killed worker's is back soon."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, EndpointConnectionError
from obstore.store import MemoryStore

from lambda_worker import handler as module
from lambda_worker.batch import Worker
from lambda_worker.processor import MessageProcessor
from lambda_worker.renewal import HIDDEN_SECONDS, Renewals


class Queue:
    """Writes down when a message was hidden, and for how long."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[float, int]] = []
        self.error = error

    def wait_for_calls(self, count: int, seconds: float = 120) -> None:
        """Wait until it was hidden so often."""
        deadline = time.monotonic() + seconds
        while len(self.calls) < count:
            assert time.monotonic() < deadline, self.calls
            time.sleep(0.01)

    def change_message_visibility(self, **asked: Any) -> None:
        self.calls.append((time.monotonic(), asked["VisibilityTimeout"]))
        if self.error:
            raise self.error


def renewals(queue: Queue, first: float = 0.05, every: float = 0.1) -> Renewals:
    return Renewals(lambda: queue, "q", lambda: (BotoCoreError,), first=first, every=every)


def test_it_is_hidden_again_and_again_while_the_batch_runs() -> None:
    """For minutes each time; when the batch has ended nothing touches the message any more."""
    queue = Queue()
    with renewals(queue).of("handle"):
        queue.wait_for_calls(3)
    ended = time.monotonic()
    assert {seconds for _, seconds in queue.calls} == {HIDDEN_SECONDS}
    time.sleep(0.2)
    assert max(at for at, _ in queue.calls) <= ended


def test_a_short_batch_pays_for_no_call() -> None:
    """One that ends before the first renewal asks SQS for nothing."""
    queue = Queue()
    with renewals(queue, first=600).of("handle"):
        pass
    assert queue.calls == []


def test_sqs_away_ends_no_batch() -> None:
    """What SQS does not take is tried again, and the batch goes on."""
    queue = Queue(EndpointConnectionError(endpoint_url="x"))
    with renewals(queue).of("handle"):
        queue.wait_for_calls(2)


def test_the_lambda_renews_before_it_releases(
    tiny: Callable[..., str], generators: Path, store: MemoryStore, cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a batch that fails for a while the last word is the release: no renewal comes after it."""
    from vbvrdatafactory.core.config import config

    monkeypatch.setattr("lambda_worker.renewal._FIRST_SECONDS", 0.05)
    monkeypatch.setattr(Renewals.__init__, "__kwdefaults__", {"first": 0.05, "every": 0.05})
    monkeypatch.setattr("lambda_worker.samples.upload.obstore.put", away)
    processor = MessageProcessor(Worker(generators, lambda *_: store), config.answering, renews=True)
    queue = Queue()
    monkeypatch.setattr(MessageProcessor, "_sqs", queue)
    record = {
        "messageId": "1",
        "receiptHandle": "r",
        "body": f'{{"type": "{tiny(slow=0.5)}", "num_samples": 2, "seed": 1}}',
    }
    outcome = processor.process(record, 60)
    assert not outcome.delete
    seconds = [each for _, each in queue.calls]
    assert (seconds[0], seconds[-1], len(seconds) > 2) == (HIDDEN_SECONDS, 10, True)
    assert seconds.count(10) == 1


def away(*_: object, **__: object) -> None:
    raise OSError("S3 is away")


def test_the_lambda_s_processor_renews(cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler's own processor does; `datafactory worker` sees to it itself."""
    module.processor.cache_clear()
    assert module.processor()._renews
    module.processor.cache_clear()
