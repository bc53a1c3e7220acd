"""The dead letter queue: which batches were given up, moved back or filed.

Reading hides letters from other readers for a while and makes them visible again afterwards. A letter is
removed only after it has been sent back or written down, so it may exist twice for a moment, never not at all.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from vbvrdatafactory.core.errors import DataFactoryError, NewerSchemaError
from vbvrdatafactory.core.models import TaskMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_RECEIVE_AT_ONCE = 10
# Long enough to read the whole queue before the first letter shows up again.
_HIDDEN_SECONDS = 600
# An empty answer may be a shard that had nothing: several running are believed.
_EMPTY_ANSWERS = 3


@dataclass(frozen=True)
class DeadLetter:
    """One message that was given up: by the worker, which said why, or by SQS, which does not."""

    message_id: str
    body: str
    receive_count: int
    sent_at_ms: int
    receipt_handle: str
    cause: str = ""
    detail: str = ""

    @property
    def message(self) -> TaskMessage | None:
        """The batch; None where the body is no valid message, or one of a newer schema."""
        with suppress(ValidationError, NewerSchemaError):
            return TaskMessage.model_validate_json(self.body)
        return None

    @property
    def is_newer(self) -> bool:
        """Whether the message is written by a newer schema than is known here."""
        try:
            TaskMessage.model_validate_json(self.body)
        except NewerSchemaError:
            return True
        except ValidationError:
            return False
        return False

    @property
    def generator(self) -> str:
        """The generator's name as far as the body tells."""
        if self.message:
            return self.message.type
        with suppress(ValueError, TypeError, KeyError):
            return str(json.loads(self.body)["type"])
        return "(unreadable)"


class RedriveResult(NamedTuple):
    """What a redrive did: letters that were sent, how many of equal body went with them, how many stay."""

    sent: list[DeadLetter]
    equal: int
    kept: int


def group_by_body(letters: Iterable[DeadLetter]) -> list[list[DeadLetter]]:
    """Letters with one body together, in the order of the first of each."""
    found: dict[str, list[DeadLetter]] = {}
    for letter in letters:
        found.setdefault(letter.body, []).append(letter)
    return [*found.values()]


class DeadLetters:
    """The letters of one dead letter queue.

    Args:
        client: a boto3 SQS client.
        dlq_url: the dead letter queue.
        wait_seconds: long poll of each receive.
    """

    def __init__(self, client: "SQSClient", dlq_url: str, *, wait_seconds: int = 1) -> None:
        self._client = client
        self._url = dlq_url
        self._wait = wait_seconds

    def read(self, *, at_most: int | None = None) -> list[DeadLetter]:
        """Every letter (or `at_most`), visible again to all when this returns."""
        letters: list[DeadLetter] = []
        try:
            for received in self._receive(at_most):
                letters += received
        finally:
            self._release(letters)
        return letters

    def tally(self, cause_of: Callable[[DeadLetter], str]) -> Counter[tuple[str, str]]:
        """Letters counted by (generator, cause); `cause_of` names a letter's cause."""
        return Counter((letter.generator, cause_of(letter)) for letter in self.read())

    def take(self, wanted: Callable[[DeadLetter], bool], file: Callable[[DeadLetter], None]) -> int:
        """File every wanted letter, then remove it from the queue; others stay. Returns how many were taken."""
        taken = 0
        held: dict[str, DeadLetter] = {}
        try:
            for received in self._receive(None):
                held |= {letter.message_id: letter for letter in received}
                for letter in filter(wanted, received):
                    file(letter)
                    self._delete(letter)
                    del held[letter.message_id]
                    taken += 1
        finally:
            self._release([*held.values()])
        return taken

    def redrive(self, queue_url: str, wanted: Callable[[DeadLetter], bool] = lambda _: True) -> RedriveResult:
        """Send every wanted letter to `queue_url`, then remove it here.

        Receive, send, delete: StartMessageMoveTask is not on every endpoint and can't choose. Of letters with
        one body one is sent, and all are removed that were there at the start. One that is given up again
        meanwhile stays: it is moved once.

        Raises:
            DataFactoryError: `queue_url` is the dead letter queue itself.
        """
        if queue_url == self._url:
            raise DataFactoryError(f"{queue_url!r} is the dead letter queue itself; name the task queue")
        held: dict[str, DeadLetter] = {}
        sent: list[DeadLetter] = []
        try:
            for received in self._receive(None):
                held |= {letter.message_id: letter for letter in received}
            found = len(held)
            for equal in group_by_body(filter(wanted, [*held.values()])):
                self._client.send_message(QueueUrl=queue_url, MessageBody=equal[0].body)
                sent.append(equal[0])
                for letter in equal:
                    self._delete(letter)
                    del held[letter.message_id]
        finally:
            self._release([*held.values()])
        return RedriveResult(sent, found - len(held) - len(sent), len(held))

    def save(
        self,
        folder: Path,
        explained: Callable[[list[DeadLetter]], list[DeadLetter]] = lambda letters: letters,
    ) -> list[Path]:
        """Write every letter to `folder` as ``{message id}.json``; the queue keeps them.

        Args:
            folder: made where it is not there.
            explained: gives the same letters with what is known of their causes.
        """
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(folder / f"{letter.message_id}.json", letter) for letter in explained(self.read())]

    def _receive(self, at_most: int | None) -> Iterator[list[DeadLetter]]:
        limit = sys.maxsize if at_most is None else at_most
        seen: set[str] = set()
        empty = 0
        deadline = time.monotonic() + _HIDDEN_SECONDS
        while empty < _EMPTY_ANSWERS and len(seen) < limit:
            if time.monotonic() > deadline:
                return
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(_RECEIVE_AT_ONCE, limit - len(seen)),
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=self._wait,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                MessageAttributeNames=["cause", "detail"],
            )
            letters = [_letter(raw) for raw in answer.get("Messages", [])]
            new = [letter for letter in letters if letter.message_id not in seen]
            seen.update(letter.message_id for letter in new)
            empty = 0 if new else empty + 1
            yield new

    def _release(self, letters: list[DeadLetter]) -> None:
        for start in range(0, len(letters), _RECEIVE_AT_ONCE):
            self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(i), "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": 0}
                    for i, letter in enumerate(letters[start : start + _RECEIVE_AT_ONCE])
                ],
            )

    def _delete(self, letter: DeadLetter) -> None:
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt_handle)


def to_json(letter: DeadLetter) -> str:
    """The letter as it is filed."""
    fields = {
        "schema_version": 1,
        "message_id": letter.message_id,
        "receive_count": letter.receive_count,
        "sent_at_ms": letter.sent_at_ms,
        "cause": letter.cause,
        "detail": letter.detail,
        "body": letter.body,
    }
    return json.dumps(fields, indent=2)


def _letter(raw: "MessageTypeDef") -> DeadLetter:
    attributes = raw.get("Attributes", {})
    return DeadLetter(
        message_id=raw["MessageId"],
        body=raw["Body"],
        receive_count=int(attributes.get("ApproximateReceiveCount", 0)),
        sent_at_ms=int(attributes.get("SentTimestamp", 0)),
        receipt_handle=raw["ReceiptHandle"],
        cause=_said(raw, "cause"),
        detail=_said(raw, "detail"),
    )


def _said(raw: "MessageTypeDef", name: str) -> str:
    """What the worker said as it gave the message up; empty where SQS did."""
    attribute = raw.get("MessageAttributes", {}).get(name)
    return attribute.get("StringValue", "") if attribute else ""


def _write(path: Path, letter: DeadLetter) -> Path:
    path.write_text(to_json(letter), encoding="utf-8")
    return path
