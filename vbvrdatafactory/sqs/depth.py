"""How much is in the queue. `Drained` says when an empty one is believed."""

from typing import TYPE_CHECKING, NamedTuple

from vbvrdatafactory.core.watch import Drained

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

__all__ = ["Depth", "Drained", "depth"]

_COUNTS: "tuple[QueueAttributeNameType, ...]" = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class Depth(NamedTuple):
    """Messages in a queue, each count approximate."""

    waiting: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return sum(self)

    def __str__(self) -> str:
        return f"{self.waiting:,} waiting, {self.in_flight:,} in flight, {self.delayed:,} delayed"


def depth(client: "SQSClient", queue_url: str) -> Depth:
    """One look at the queue."""
    answer = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(_COUNTS))
    return Depth(*(int(answer["Attributes"][name]) for name in _COUNTS))
