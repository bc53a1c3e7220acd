"""The task queue as a worker that is no Lambda uses it: short leases, renewed while a batch runs.

A lease is the time a received message stays hidden from everybody else. It is short, so that what a killed
worker held comes back soon, and renewed three times before it would end.
"""

import logging
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_worker.pull.outage import FAULTS, Outage
from vbvrdatafactory.sqs.depth import Depth, depth

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

log = logging.getLogger(__name__)

# One entry of a Lambda event's "Records".
Record = Mapping[str, Any]

MOST_AT_ONCE = 10  # of SQS
_LOST = ("InvalidParameterValue", "MessageNotInflight", "ReceiptHandleIsInvalid")


class LeaseLost(Exception):  # noqa: N818 - it names what happened
    """The receipt handle is good no more: the lease ended, or somebody deleted the message."""


@dataclass(frozen=True)
class Queue:
    """The task queue.

    Args:
        client: a boto3 SQS client.
        url: the queue's.
        lease_seconds: how long a message is hidden by a receive, and by each renewal.
        wait_seconds: how long a receive waits for a first message. It is also how long a worker with
            nothing to do takes to stop: leaving earlier could strand a message that is on its way.
    """

    client: "SQSClient"
    url: str
    lease_seconds: int = 120
    wait_seconds: int = 3

    def receive(self, at_most: int) -> list[Record]:
        """Up to `at_most` messages, each hidden from others for the lease."""
        answer = self.client.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=min(at_most, MOST_AT_ONCE),
            VisibilityTimeout=self.lease_seconds,
            WaitTimeSeconds=self.wait_seconds,
            AttributeNames=["ApproximateReceiveCount"],
        )
        return [_record(message) for message in answer.get("Messages", [])]

    def renew(self, record: Record) -> None:
        """Begin the message's lease anew.

        Raises:
            LeaseLost: there is none to renew.
        """
        self._hide(record, self.lease_seconds)

    def give_back(self, record: Record) -> None:
        """Let anybody have the message at once."""
        self._hide(record, 0)

    def delete(self, record: Record) -> None:
        """The message is done. With a lost lease SQS may refuse, and then whoever has it will."""
        try:
            self.client.delete_message(QueueUrl=self.url, ReceiptHandle=record["receiptHandle"])
        except ClientError as error:
            if not _is_lost(error):
                raise

    def depth(self) -> Depth:
        """One look at how much is in it."""
        return depth(self.client, self.url)

    def _hide(self, record: Record, seconds: int) -> None:
        try:
            self.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds
            )
        except ClientError as error:
            if _is_lost(error):
                raise LeaseLost(str(error)) from error
            raise


class Lease:
    """Renews the lease of one message until `end`; a failure is tried again, a lost lease is let go."""

    def __init__(self, queue: Queue, record: Record, outage: Outage) -> None:
        self._queue = queue
        self._record = record
        self._outage = outage
        self._ended = threading.Event()
        # Of its own for each: a call that hangs on a dead connection must not cost others their lease.
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Renew no more."""
        self._ended.set()

    def wait_ended(self, seconds: float) -> None:
        """Give a renewal that is on its way time to arrive, so that it undoes nothing that follows."""
        self._thread.join(seconds)

    def _keep(self) -> None:
        pause = self._queue.lease_seconds / 3
        while not self._ended.wait(pause):
            pause = self._renew()
            if not pause:
                return

    def _renew(self) -> float:
        """Seconds until the next renewal; 0 where there will be none."""
        lease = self._queue.lease_seconds
        try:
            self._queue.renew(self._record)
        except LeaseLost as lost:
            if not self._ended.is_set():
                log.warning("message %s: the lease is lost, the batch goes on: %s", self._id, lost)
            return 0
        except FAULTS as error:
            self._outage.missed(error)
            return random.uniform(lease / 24, lease / 12)  # noqa: S311 - no secret
        self._outage.answered()
        return lease / 3

    @property
    def _id(self) -> str:
        return str(self._record["messageId"])


def _record(message: "MessageTypeDef") -> Record:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
    }


def _is_lost(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code", "").rpartition(".")[2] in _LOST
