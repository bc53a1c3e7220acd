"""An SQS and an S3 in memory, which can be slow, away, or hand a message to somebody else, and a worker on them."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from lambda_worker.processor import Outcome

# A bound on what would hang: a busy machine takes many times what an idle one does.
HANGS_SECONDS = 120.0

DONE = Outcome(delete=True)
AGAIN = Outcome(delete=False, failure="crash: bad luck")
DEAD = Outcome(delete=True, failure="crash: no font")


@dataclass
class Sent:
    """A message as SQS keeps it."""

    body: str
    visible_at: float = 0.0
    receives: int = 0


class MemorySqs:
    """SQS in memory, with visibility timeouts and receipt handles; `away` makes every call fail.

    Args:
        messages: how many are in the queue.
        clock: the time by which visibility timeouts expire.
    """

    def __init__(self, messages: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.messages = {
            str(n): Sent(json.dumps({"type": f"T-{n}", "num_samples": 5})) for n in range(messages)
        }
        self.calls: Counter[str] = Counter()
        self.hidden: list[float] = []  # the visibility timeouts that were set after a receive
        self.away = False
        self.failing: Counter[str] = Counter()  # how many more calls of a name fail
        self.held = threading.Event()  # receives answer only once it is set
        self.held.set()
        self._clock = clock
        self._lock = threading.Lock()

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        self._call("receive")
        last = time.monotonic() + asked["WaitTimeSeconds"]
        wanted = asked["MaxNumberOfMessages"], asked["VisibilityTimeout"]
        while not (found := self._take(*wanted)) and time.monotonic() < last:
            time.sleep(0.01)
        self.held.wait()
        return {"Messages": found}

    def _take(self, most: int, seconds: float) -> list[dict[str, Any]]:
        with self._lock:
            now = self._clock()
            found = [key for key, sent in self.messages.items() if sent.visible_at <= now][:most]
            for key in found:
                sent = self.messages[key]
                sent.visible_at, sent.receives = now + seconds, sent.receives + 1
            return [
                {
                    "MessageId": key,
                    "ReceiptHandle": f"{key}/{self.messages[key].receives}",
                    "Body": self.messages[key].body,
                    "Attributes": {"ApproximateReceiveCount": str(self.messages[key].receives)},
                }
                for key in found
            ]

    def change_message_visibility(self, **asked: Any) -> None:
        seconds = asked["VisibilityTimeout"]
        self._call("hide" if seconds else "show")
        with self._lock:
            key, _, receives = asked["ReceiptHandle"].partition("/")
            sent = self.messages.get(key)
            if sent is None or str(sent.receives) != receives:
                said = {"Error": {"Code": "InvalidParameterValue", "Message": "Message does not exist"}}
                raise ClientError(said, "ChangeMessageVisibility")
            sent.visible_at = self._clock() + seconds
            self.hidden.append(seconds)

    def delete_message(self, **asked: Any) -> None:
        self._call("delete")
        with self._lock:
            self.messages.pop(asked["ReceiptHandle"].partition("/")[0], None)

    def show_again(self, record: Any, seconds: float = 0) -> None:
        """What the handler does with a message that is to come again."""
        self.change_message_visibility(ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds)

    def get_queue_attributes(self, **_: object) -> dict[str, Any]:
        self._call("look")
        waiting = self.visible()
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(waiting),
                "ApproximateNumberOfMessagesNotVisible": str(len(self.messages) - waiting),
                "ApproximateNumberOfMessagesDelayed": "0",
            }
        }

    def visible(self) -> int:
        with self._lock:
            return sum(sent.visible_at <= self._clock() for sent in self.messages.values())

    def _call(self, name: str) -> None:
        self.calls[name] += 1
        if self.away or self.failing[name] > 0:
            self.failing[name] -= 1
            raise EndpointConnectionError(endpoint_url="https://sqs")


class MemoryS3:
    """A bucket of which only matters whether it answers."""

    def __init__(self) -> None:
        self.away = False

    def probe(self) -> None:
        if self.away:
            raise EndpointConnectionError(endpoint_url="https://s3")


def cancellable(sqs: MemorySqs, seconds: float = 60) -> Callable[..., Outcome]:
    """A handler as ours: when cancelled it gives the message back at once."""

    def deliver(record: Any, _seconds: float, cancelled: threading.Event) -> Outcome:
        if cancelled.wait(seconds):
            sqs.show_again(record)
            return Outcome(delete=False, failure="it says no more")
        return DONE

    return deliver


def until(true: Callable[[], object], seconds: float = HANGS_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def finish(worker: SimpleNamespace, seconds: float = HANGS_SECONDS) -> Any:
    worker.thread.join(seconds)
    assert not worker.thread.is_alive()
    return worker.totals


def stop(worker: SimpleNamespace) -> None:
    """Stop the worker, and wait until it has ended."""
    worker.pulling.stop()
    finish(worker)
