"""How much is in the queue, and when nothing is any more.

SQS counts are approximate: they may read zero while messages are still moving. A queue is drained when it
reads empty several looks running; and even then only a listing of the bucket says what is done.
"""

from dataclasses import dataclass
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


@dataclass
class Drained:
    """Believes an empty queue after `looks` empty looks running.

    >>> drained = Drained(looks=2)
    >>> [drained.after(Depth(n, 0, 0)) for n in (3, 0, 1, 0, 0)]
    [False, False, False, False, True]
    """

    looks: int = 3
    _empty: int = 0

    def after(self, seen: Depth) -> bool:
        """Whether the queue counts as drained after this look."""
        self._empty = 0 if seen.total else self._empty + 1
        return self._empty >= self.looks
