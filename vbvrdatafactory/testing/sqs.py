"""SQS in memory, with the methods, shapes and errors of a boto3 client as far as the factory uses them.

Standard queues. Counts are exact and messages are received in the order of sends, which SQS does not guarantee: do
not rely on either. Nothing waits: a long poll returns at once.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from vbvrdatafactory.testing.answers import META, attributes_of, digest, failed, shown, url_of
from vbvrdatafactory.testing.clock import Clock
from vbvrdatafactory.testing.limits import (
    RefusedError,
    check_body,
    check_count,
    check_entries,
    check_hidden,
    check_size,
)
from vbvrdatafactory.testing.queues import Message, Queue

if TYPE_CHECKING:
    from typing import Unpack

    from mypy_boto3_sqs import SQSClient as _Client
    from mypy_boto3_sqs import type_defs as t
else:
    _Client = object


class InMemorySqs(_Client):
    """SQS in memory; pass it wherever a boto3 SQS client is accepted.

    >>> sqs = InMemorySqs()
    >>> url = sqs.create_queue(QueueName="tasks")["QueueUrl"]
    >>> sent = sqs.send_message(QueueUrl=url, MessageBody="hello")
    >>> [message["Body"] for message in sqs.receive_message(QueueUrl=url)["Messages"]]
    ['hello']

    Errors are botocore's `ClientError` with the error codes of SQS.

    Args:
        clock: returns the time, in seconds since 1970, for visibility and delays. Default: one that stands still.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or Clock()
        self._queues: dict[str, Queue] = {}
        self._failing: deque[Exception] = deque()
        self._refusing: deque[RefusedError] = deque()
        self._lock = threading.Lock()

    # For tests

    def fail(self, error: Exception, times: int = 1) -> None:
        """Let the next `times` calls of any method do nothing and raise `error`."""
        self._failing.extend([error] * times)

    def refuse(self, times: int = 1, code: str = "InternalError") -> None:
        """Let the next `times` entries of SendMessageBatch fail with `code`, without a sender fault."""
        self._refusing.extend([RefusedError(code, "the test says so")] * times)

    def bodies(self, queue_url: str) -> list[str]:
        """The body of every message in the queue, waiting, in flight or delayed, in the order of sends.

        None is received: none is hidden, and no receive is counted.
        """
        with self._lock:
            return [message.body for message in self._queues[queue_url].messages.values()]

    # Queues

    def create_queue(self, **asked: Unpack[t.CreateQueueRequestTypeDef]) -> t.CreateQueueResultTypeDef:
        """Create a queue; of its attributes VisibilityTimeout, DelaySeconds and RedrivePolicy take effect."""
        url = url_of(asked["QueueName"])
        self._queues.setdefault(url, Queue(asked["QueueName"]))
        with self._call("CreateQueue", url) as queue:
            self._configure(queue, asked.get("Attributes", {}))
        return {"QueueUrl": url, "ResponseMetadata": META}

    def get_queue_attributes(
        self, **asked: Unpack[t.GetQueueAttributesRequestTypeDef]
    ) -> t.GetQueueAttributesResultTypeDef:
        """The three counts, QueueArn, and the attributes of `create_queue`."""
        with self._call("GetQueueAttributes", asked["QueueUrl"]) as queue:
            found = attributes_of(queue, self._clock())
        names = asked.get("AttributeNames", ())
        wanted: Any = {name: value for name, value in found.items() if name in names or "All" in names}
        return {"Attributes": wanted, "ResponseMetadata": META}

    def purge_queue(self, **asked: Unpack[t.PurgeQueueRequestTypeDef]) -> t.EmptyResponseMetadataTypeDef:
        """Delete every message at once; SQS may take a minute."""
        with self._call("PurgeQueue", asked["QueueUrl"]) as queue:
            queue.messages.clear()
        return {"ResponseMetadata": META}

    # Sending

    def send_message(self, **asked: Unpack[t.SendMessageRequestTypeDef]) -> t.SendMessageResultTypeDef:
        """Send one message."""
        with self._call("SendMessage", asked["QueueUrl"]) as queue:
            check_body(asked["MessageBody"])
            check_size([asked["MessageBody"]], "InvalidParameterValue")
            sent = self._send(queue, asked)
        return {
            "MessageId": sent.message_id,
            "MD5OfMessageBody": digest(sent),
            "MD5OfMessageAttributes": "",
            "MD5OfMessageSystemAttributes": "",
            "SequenceNumber": "",
            "ResponseMetadata": META,
        }

    def send_message_batch(
        self, **asked: Unpack[t.SendMessageBatchRequestTypeDef]
    ) -> t.SendMessageBatchResultTypeDef:
        """Send up to ten messages of 1 MiB together; each succeeds or fails by itself."""
        entries = asked["Entries"]
        answer: t.SendMessageBatchResultTypeDef = {"Successful": [], "Failed": [], "ResponseMetadata": META}
        with self._call("SendMessageBatch", asked["QueueUrl"]) as queue:
            check_entries([entry["Id"] for entry in entries])
            check_size(
                [entry["MessageBody"] for entry in entries], "AWS.SimpleQueueService.BatchRequestTooLong"
            )
            for entry in entries:
                try:
                    self._refuse_if_told()
                    check_body(entry["MessageBody"])
                except RefusedError as error:
                    by_sender = error.code == "InvalidMessageContents"
                    answer["Failed"].append(failed(entry["Id"], error, by_sender=by_sender))
                else:
                    sent = self._send(queue, entry)
                    answer["Successful"].append(
                        {
                            "Id": entry["Id"],
                            "MessageId": sent.message_id,
                            "MD5OfMessageBody": digest(sent),
                        }
                    )
        return answer

    # Receiving

    def receive_message(
        self, **asked: Unpack[t.ReceiveMessageRequestTypeDef]
    ) -> t.ReceiveMessageResultTypeDef:
        """Receive up to ten messages, hidden from now on; returns at once, without ``Messages`` if there are none."""
        names = {*asked.get("AttributeNames", ()), *asked.get("MessageSystemAttributeNames", ())}
        count, hidden = asked.get("MaxNumberOfMessages", 1), asked.get("VisibilityTimeout")
        with self._call("ReceiveMessage", asked["QueueUrl"]) as queue:
            check_count(count)
            check_hidden(hidden or 0)
            found = queue.receive(self._clock(), at_most=count, hidden_seconds=hidden)
            messages = [shown(each, names, asked.get("MessageAttributeNames", ())) for each in found]
        answer: Any = {"ResponseMetadata": META}
        if messages:
            answer["Messages"] = messages
        found_some: t.ReceiveMessageResultTypeDef = answer
        return found_some

    def delete_message(
        self, **asked: Unpack[t.DeleteMessageRequestTypeDef]
    ) -> t.EmptyResponseMetadataTypeDef:
        """Delete a message by the handle of its latest receive; an older handle deletes nothing."""
        with self._call("DeleteMessage", asked["QueueUrl"]) as queue:
            queue.delete(asked["ReceiptHandle"])
        return {"ResponseMetadata": META}

    def change_message_visibility(
        self, **asked: Unpack[t.ChangeMessageVisibilityRequestTypeDef]
    ) -> t.EmptyResponseMetadataTypeDef:
        """Set the visibility timeout of a message in flight, in seconds from now; 0 releases it."""
        with self._call("ChangeMessageVisibility", asked["QueueUrl"]) as queue:
            self._hide(queue, asked["ReceiptHandle"], asked["VisibilityTimeout"])
        return {"ResponseMetadata": META}

    def change_message_visibility_batch(
        self, **asked: Unpack[t.ChangeMessageVisibilityBatchRequestTypeDef]
    ) -> t.ChangeMessageVisibilityBatchResultTypeDef:
        """The same for up to ten messages, each by itself."""
        answer: t.ChangeMessageVisibilityBatchResultTypeDef = {
            "Successful": [],
            "Failed": [],
            "ResponseMetadata": META,
        }
        with self._call("ChangeMessageVisibilityBatch", asked["QueueUrl"]) as queue:
            check_entries([entry["Id"] for entry in asked["Entries"]])
            for entry in asked["Entries"]:
                try:
                    self._hide(queue, entry["ReceiptHandle"], entry.get("VisibilityTimeout", 0))
                except RefusedError as error:
                    answer["Failed"].append(failed(entry["Id"], error, by_sender=True))
                else:
                    answer["Successful"].append({"Id": entry["Id"]})
        return answer

    @contextmanager
    def _call(self, operation: str, queue_url: str) -> Iterator[Queue]:
        """The queue of a call, under the lock; errors are raised as boto3 does."""
        with self._lock:
            if self._failing:
                raise self._failing.popleft()
            try:
                yield self._find(queue_url)
            except RefusedError as error:
                answer: Any = {
                    "Error": {"Code": error.code, "Message": error.why},
                    "ResponseMetadata": {**META, "HTTPStatusCode": 400},
                }
                raise ClientError(answer, operation) from error

    def _find(self, queue_url: str) -> Queue:
        if queue_url not in self._queues:
            raise RefusedError("AWS.SimpleQueueService.NonExistentQueue", f"there is no queue {queue_url!r}")
        return self._queues[queue_url]

    def _configure(self, queue: Queue, attributes: Mapping[Any, str]) -> None:
        queue.visibility_seconds = float(attributes.get("VisibilityTimeout", queue.visibility_seconds))
        queue.delay_seconds = float(attributes.get("DelaySeconds", queue.delay_seconds))
        if "RedrivePolicy" in attributes:
            policy = json.loads(attributes["RedrivePolicy"])
            queue.max_receives = int(policy["maxReceiveCount"])
            queue.dead_letters = self._find(url_of(policy["deadLetterTargetArn"].rpartition(":")[2]))

    def _send(self, queue: Queue, asked: Mapping[str, Any]) -> Message:
        return queue.send(
            asked["MessageBody"],
            self._clock(),
            delay_seconds=asked.get("DelaySeconds"),
            attributes=asked.get("MessageAttributes", {}),
        )

    def _refuse_if_told(self) -> None:
        if self._refusing:
            raise self._refusing.popleft()

    def _hide(self, queue: Queue, handle: str, seconds: int) -> None:
        check_hidden(seconds)
        now = self._clock()
        message = queue.held(handle)
        if message is None or message.visible_at <= now:
            raise RefusedError("AWS.SimpleQueueService.MessageNotInflight", f"{handle!r} is not in flight")
        message.visible_at = now + seconds
