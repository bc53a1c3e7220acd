"""Keeps a message hidden for minutes instead of hours while its batch runs in a Lambda.

A queue that feeds a Lambda must hide messages for longer than the function may run, six times as long by AWS's counsel:
the message of a worker that was killed came back an hour and a half later. So the worker hides it for minutes, again and
again, until its batch has ended. `datafactory worker` does the same in its own way.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = logging.getLogger(__name__)

# A batch that ends sooner pays for no call, and the first one of a Lambda for no import of boto3.
_FIRST_SECONDS = 2.0
HIDDEN_SECONDS = 180
_EVERY_SECONDS = 60.0


class Renewals:
    """Hides messages of one queue while their batches run.

    Args:
        client: makes or returns the SQS client; called in a thread.
        queue_url: the queue's.
        errors: what a call to SQS may raise; called when it has.
    """

    def __init__(
        self,
        client: "Callable[[], SQSClient]",
        queue_url: str,
        errors: Callable[[], tuple[type[Exception], ...]],
        *,
        first: float = _FIRST_SECONDS,
        every: float = _EVERY_SECONDS,
    ) -> None:
        self._client, self._queue_url, self._errors = client, queue_url, errors
        self._first, self._every = first, every

    @contextmanager
    def of(self, receipt_handle: str) -> Iterator[None]:
        """Keep a message hidden inside the block; after it nothing changes its visibility any more."""
        ended = threading.Event()
        thread = threading.Thread(target=self._keep, args=(receipt_handle, ended), name="renew", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            # A call under way would hide again a message that is about to be released.
            thread.join()

    def _keep(self, receipt_handle: str, ended: threading.Event) -> None:
        wait = self._first
        while not ended.wait(wait):
            wait = self._every
            try:
                self._client().change_message_visibility(
                    QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=HIDDEN_SECONDS
                )
            except self._errors() as error:
                # It stays hidden for as long as the last call, or the queue, has it.
                log.warning("a message could not be hidden for longer: %s", error)
