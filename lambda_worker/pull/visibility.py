"""The task queue as a worker outside Lambda uses it: short visibility timeouts, extended while a batch runs.

The timeout is short, so that the messages of a killed worker are received again soon, and extended three times before
it would expire.
"""

import logging
import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambda_worker.processor import Record
from lambda_worker.pull.outage import FAULTS, Outage
from vbvrdatafactory.sqs.depth import Depth, depth

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

log = logging.getLogger(__name__)

MOST_AT_ONCE = 10  # of SQS
_EXPIRED = ("InvalidParameterValue", "MessageNotInflight", "ReceiptHandleIsInvalid")


class ReceiptHandleExpired(Exception):  # noqa: N818 - it names what happened
    """The receipt handle is not valid any more: the visibility timeout expired, or the message was deleted."""


@dataclass(frozen=True)
class TaskQueue:
    """The task queue.

    Args:
        client: a boto3 SQS client.
        url: the queue's.
        visibility_seconds: the visibility timeout that a receive, and each extension, sets.
        wait_seconds: how long a receive waits for a first message. It is also how long a worker with
            nothing to do takes to stop: leaving earlier could strand a message that is on its way.
    """

    client: "SQSClient"
    url: str
    visibility_seconds: int = 120
    wait_seconds: int = 3

    def receive(self, at_most: int) -> list[Record]:
        """Up to `at_most` messages, each invisible to others for the visibility timeout."""
        answer = self.client.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=min(at_most, MOST_AT_ONCE),
            VisibilityTimeout=self.visibility_seconds,
            WaitTimeSeconds=self.wait_seconds,
            AttributeNames=["ApproximateReceiveCount"],
            MessageAttributeNames=["All"],
        )
        return [_record(message) for message in answer.get("Messages", [])]

    def extend(self, record: Record) -> None:
        """Set the message's visibility timeout anew.

        Raises:
            ReceiptHandleExpired: it has expired already.
        """
        self._set_visibility(record, self.visibility_seconds)

    def release(self, record: Record) -> None:
        """Make the message visible to others at once."""
        self._set_visibility(record, 0)

    def delete(self, record: Record) -> None:
        """Delete the message. With an expired receipt handle SQS may refuse; whoever received it since deletes it."""
        try:
            self.client.delete_message(QueueUrl=self.url, ReceiptHandle=record["receiptHandle"])
        except ClientError as error:
            if not _is_expired(error):
                raise

    def depth(self) -> Depth:
        """How many messages are in the queue."""
        return depth(self.client, self.url)

    def _set_visibility(self, record: Record, seconds: int) -> None:
        try:
            self.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds
            )
        except ClientError as error:
            if _is_expired(error):
                raise ReceiptHandleExpired(str(error)) from error
            raise


class VisibilityExtender:
    """Extends the visibility timeout of one message until `end`; retries failures, and stops where it has expired."""

    def __init__(self, queue: TaskQueue, record: Record, outage: Outage) -> None:
        self._queue = queue
        self._record = record
        self._outage = outage
        self._ended = threading.Event()
        # One thread for each message: a call that hangs on a dead connection must not let others' timeouts expire.
        self._thread = threading.Thread(target=self._keep, name="visibility", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Extend no more."""
        self._ended.set()

    def wait_ended(self, seconds: float) -> None:
        """Wait so long for an extension under way, which would undo a release that follows."""
        self._thread.join(seconds)

    def _keep(self) -> None:
        pause = self._queue.visibility_seconds / 3
        while not self._ended.wait(pause):
            pause = self._extend()
            if not pause:
                return

    def _extend(self) -> float:
        """Seconds until the next extension; 0 where there will be none."""
        timeout = self._queue.visibility_seconds
        try:
            self._queue.extend(self._record)
        except ReceiptHandleExpired as expired:
            if not self._ended.is_set():
                log.warning(
                    "message %s: its visibility timeout expired, the batch goes on: %s", self._id, expired
                )
            return 0
        except FAULTS as error:
            self._outage.failed(error)
            return random.uniform(timeout / 24, timeout / 12)  # noqa: S311 - no secret
        self._outage.answered()
        return timeout / 3

    @property
    def _id(self) -> str:
        return str(self._record["messageId"])


def _record(message: "MessageTypeDef") -> Record:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
            for name, value in message.get("MessageAttributes", {}).items()
            if "StringValue" in value
        },
    }


def _is_expired(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code", "").rpartition(".")[2] in _EXPIRED
