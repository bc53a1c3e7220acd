"""The depth of the task queue and of its dead letter queue as a dict, with the predecessor's names."""

from typing import TYPE_CHECKING, TypedDict

from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config, config
from vbvrdatafactory.sqs.depth import depth

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Counts(TypedDict):
    """Messages of one queue, each count approximate."""

    available: int
    in_flight: int
    delayed: int


class Status(TypedDict):
    """Both queues; ``dlq`` is None where no dead letter queue is configured."""

    main_queue: Counts
    dlq: Counts | None


class QueueMonitor:
    """Polls the task queue and its dead letter queue.

    Args:
        queue_url: the task queue; default ``SQS_QUEUE_URL``.
        dlq_url: the dead letter queue; default ``SQS_DLQ_URL``, and none where that is not set.
        client: a boto3 SQS client; default one from `settings`.
        settings: where region and endpoint come from; default the environment.
    """

    def __init__(
        self,
        queue_url: str | None = None,
        dlq_url: str | None = None,
        *,
        client: "SQSClient | None" = None,
        settings: Config | None = None,
    ) -> None:
        settings = settings or config
        self.queue_url = queue_url or settings.sqs_queue_url
        self.dlq_url = dlq_url or settings.find("SQS_DLQ_URL")
        self._client = client or aws.sqs(settings)

    def get_status(self) -> Status:
        """The depth of both queues now."""
        return {
            "main_queue": self._count(self.queue_url),
            "dlq": self._count(self.dlq_url) if self.dlq_url else None,
        }

    def _count(self, url: str) -> Counts:
        now = depth(self._client, url)
        return {"available": now.waiting, "in_flight": now.in_flight, "delayed": now.delayed}
