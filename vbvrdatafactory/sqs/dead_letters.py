"""Reads, saves and redrives the messages of a dead letter queue.

Reading hides messages from other readers by their visibility timeout, and releases them afterwards. A message is
deleted only after it was sent to the task queue or filed, so it may exist twice for a moment, and is never lost.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from vbvrdatafactory.core.errors import DataFactoryError, NewerSchemaError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.parsing import parse_json

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import MessageSystemAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_RECEIVE_AT_ONCE = 10
_ATTRIBUTES: "tuple[MessageSystemAttributeNameType, ...]" = (
    "ApproximateReceiveCount",
    "SentTimestamp",
    "ApproximateFirstReceiveTimestamp",
)
# The visibility timeout: long enough to read the whole queue before the first message is visible again.
_HIDDEN_SECONDS = 600
# A receive asks a sample of the queue's servers, so one that returns nothing proves nothing; several in succession do.
_EMPTY_RECEIVES = 3


@dataclass(frozen=True)
class DeadLetter:
    """One message of a dead letter queue.

    Args:
        message_id: the id that SQS gave it.
        body: the JSON of a `TaskMessage`, or anything else that was sent to the task queue.
        receive_count: how often it was received (``ApproximateReceiveCount``), reads here included.
        sent_at_ms: when it was sent (``SentTimestamp``), in milliseconds since 1970.
        first_received_at_ms: when it was first received, here or in the task queue; 0 where that is not known.
        receipt_handle: deletes or releases it.
        cause: from the message attribute that the worker sets; empty where SQS moved the message, after its last receive.
        detail: likewise.
    """

    message_id: str
    body: str
    receive_count: int
    sent_at_ms: int
    receipt_handle: str
    cause: str = ""
    detail: str = ""
    first_received_at_ms: int = 0

    @property
    def sent(self) -> datetime | None:
        """When it was sent; None where that is not known."""
        return _time(self.sent_at_ms)

    @property
    def first_received(self) -> datetime | None:
        """When it was first received; None where that is not known."""
        return _time(self.first_received_at_ms)

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
        """The generator's name; ``(unreadable)`` where the body has none."""
        if self.message:
            return self.message.type
        with suppress(ValueError, TypeError, KeyError):
            return str(parse_json(self.body)["type"])
        return "(unreadable)"


class RedriveResult(NamedTuple):
    """The result of a redrive.

    Args:
        sent: dead letters that were sent to the task queue.
        equal: how many more with an equal body were deleted, and not sent.
        kept: how many stay in the dead letter queue.
    """

    sent: list[DeadLetter]
    equal: int
    kept: int


def group_by_body(dead_letters: Iterable[DeadLetter]) -> list[list[DeadLetter]]:
    """Dead letters grouped by equal bodies, in the order in which each body comes first."""
    found: dict[str, list[DeadLetter]] = {}
    for dead_letter in dead_letters:
        found.setdefault(dead_letter.body, []).append(dead_letter)
    return [*found.values()]


class DeadLetters:
    """Reads one dead letter queue.

    Args:
        client: a boto3 SQS client.
        dlq_url: its URL.
        wait_seconds: ``WaitTimeSeconds`` of each receive.
    """

    def __init__(self, client: "SQSClient", dlq_url: str, *, wait_seconds: int = 1) -> None:
        self._client = client
        self._url = dlq_url
        self._wait = wait_seconds

    def read(self, *, at_most: int | None = None) -> list[DeadLetter]:
        """Every dead letter, or at most `at_most`; all are released when this returns."""
        dead_letters: list[DeadLetter] = []
        try:
            for received in self._receive(at_most):
                dead_letters += received
        finally:
            self._release(dead_letters)
        return dead_letters

    def tally(self, cause_of: Callable[[DeadLetter], str]) -> Counter[tuple[str, str]]:
        """How many dead letters there are by (generator, cause), the cause as `cause_of` returns it."""
        return Counter((dead_letter.generator, cause_of(dead_letter)) for dead_letter in self.read())

    def take(self, wanted: Callable[[DeadLetter], bool], file: Callable[[DeadLetter], None]) -> int:
        """Call `file` with every wanted dead letter, then delete it; others stay. Returns how many were filed."""
        taken = 0
        held: dict[str, DeadLetter] = {}
        try:
            for received in self._receive(None):
                held |= {dead_letter.message_id: dead_letter for dead_letter in received}
                for dead_letter in filter(wanted, received):
                    file(dead_letter)
                    self._delete(dead_letter)
                    del held[dead_letter.message_id]
                    taken += 1
        finally:
            self._release([*held.values()])
        return taken

    def redrive(self, queue_url: str, wanted: Callable[[DeadLetter], bool] = lambda _: True) -> RedriveResult:
        """Send every wanted dead letter to `queue_url`, then delete it here.

        StartMessageMoveTask would move all or none, and not every endpoint has it. Of several with an equal body one is
        sent and all are deleted. One that arrives while this runs stays: no message is moved twice.

        Raises:
            DataFactoryError: `queue_url` is the dead letter queue itself.
        """
        if queue_url == self._url:
            raise DataFactoryError(f"{queue_url!r} is the dead letter queue itself; name the task queue")
        held: dict[str, DeadLetter] = {}
        sent: list[DeadLetter] = []
        try:
            for received in self._receive(None):
                held |= {dead_letter.message_id: dead_letter for dead_letter in received}
            found = len(held)
            for equal in group_by_body(filter(wanted, [*held.values()])):
                self._client.send_message(QueueUrl=queue_url, MessageBody=equal[0].body)
                sent.append(equal[0])
                for dead_letter in equal:
                    self._delete(dead_letter)
                    del held[dead_letter.message_id]
        finally:
            self._release([*held.values()])
        return RedriveResult(sent, found - len(held) - len(sent), len(held))

    def save(
        self,
        folder: Path,
        explained: Callable[[list[DeadLetter]], list[DeadLetter]] = lambda dead_letters: dead_letters,
    ) -> list[Path]:
        """Write every dead letter to `folder` as ``{message id}.json``; the queue keeps them.

        Args:
            folder: created where it does not exist.
            explained: returns the same dead letters with cause and detail filled in.
        """
        folder.mkdir(parents=True, exist_ok=True)
        return [
            _write(folder / f"{dead_letter.message_id}.json", dead_letter)
            for dead_letter in explained(self.read())
        ]

    def _receive(self, at_most: int | None) -> Iterator[list[DeadLetter]]:
        limit = sys.maxsize if at_most is None else at_most
        seen: set[str] = set()
        empty = 0
        deadline = time.monotonic() + _HIDDEN_SECONDS
        while empty < _EMPTY_RECEIVES and len(seen) < limit:
            if time.monotonic() > deadline:
                return
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(_RECEIVE_AT_ONCE, limit - len(seen)),
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=self._wait,
                MessageSystemAttributeNames=[*_ATTRIBUTES],
                MessageAttributeNames=["cause", "detail"],
            )
            dead_letters = [_parse(raw) for raw in answer.get("Messages", [])]
            new = [dead_letter for dead_letter in dead_letters if dead_letter.message_id not in seen]
            seen.update(dead_letter.message_id for dead_letter in new)
            empty = 0 if new else empty + 1
            yield new

    def _release(self, dead_letters: list[DeadLetter]) -> None:
        for start in range(0, len(dead_letters), _RECEIVE_AT_ONCE):
            self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(i), "ReceiptHandle": dead_letter.receipt_handle, "VisibilityTimeout": 0}
                    for i, dead_letter in enumerate(dead_letters[start : start + _RECEIVE_AT_ONCE])
                ],
            )

    def _delete(self, dead_letter: DeadLetter) -> None:
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=dead_letter.receipt_handle)


def to_json(dead_letter: DeadLetter) -> str:
    """The JSON that is filed."""
    fields = {
        "schema_version": 1,
        "message_id": dead_letter.message_id,
        "receive_count": dead_letter.receive_count,
        "sent_at_ms": dead_letter.sent_at_ms,
        "first_received_at_ms": dead_letter.first_received_at_ms,
        "cause": dead_letter.cause,
        "detail": dead_letter.detail,
        "body": dead_letter.body,
    }
    return json.dumps(fields, indent=2)


def _time(milliseconds: int) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _parse(raw: "MessageTypeDef") -> DeadLetter:
    attributes = raw.get("Attributes", {})
    return DeadLetter(
        message_id=raw["MessageId"],
        body=raw["Body"],
        receive_count=int(attributes.get("ApproximateReceiveCount", 0)),
        sent_at_ms=int(attributes.get("SentTimestamp", 0)),
        first_received_at_ms=int(attributes.get("ApproximateFirstReceiveTimestamp", 0)),
        receipt_handle=raw["ReceiptHandle"],
        cause=_string_attribute(raw, "cause"),
        detail=_string_attribute(raw, "detail"),
    )


def _string_attribute(raw: "MessageTypeDef", name: str) -> str:
    """A string attribute, which the worker sets; empty where there is none."""
    attribute = raw.get("MessageAttributes", {}).get(name)
    return attribute.get("StringValue", "") if attribute else ""


def _write(path: Path, dead_letter: DeadLetter) -> Path:
    path.write_text(to_json(dead_letter), encoding="utf-8")
    return path
