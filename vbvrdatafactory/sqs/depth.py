"""Queue depth: the approximate numbers of messages that SQS reports."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

_COUNTS: "tuple[QueueAttributeNameType, ...]" = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class Depth(NamedTuple):
    """Messages in a queue, each count approximate.

    Args:
        waiting: visible, ready to be received.
        in_flight: received, and not deleted or visible again yet.
        delayed: not visible yet.
    """

    waiting: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return sum(self)

    def __str__(self) -> str:
        return f"{self.waiting:,} waiting, {self.in_flight:,} in flight, {self.delayed:,} delayed"


def depth(client: "SQSClient", queue_url: str) -> Depth:
    """The queue's depth now, of one GetQueueAttributes call."""
    answer = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(_COUNTS))
    return Depth(*(int(answer["Attributes"][name]) for name in _COUNTS))
