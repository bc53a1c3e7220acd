"""The Lambda entry point: SQS events with partial batch responses, or a bare message invoked directly.

The environment and the clock of the invocation are read here and travel on as arguments. The processor and its
clients are made once for a warm Lambda. As many messages of an event are processed at once as there are processors, and one
where the host can't isolate them; a batch is never cut, so its data is the same wherever it runs.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import Any, Protocol

from lambda_worker.delivery import Delivery
from lambda_worker.processor import MessageProcessor, Outcome, Record, concurrency, make_processor, seed_of
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.models import TaskMessage

log = logging.getLogger("lambda_worker")
log.setLevel(logging.INFO)

Event = Mapping[str, Any]

# What the handler needs after the generator's deadline to store, record and answer.
_MARGIN_SECONDS = 3.0


class Context(Protocol):
    """The part of Lambda's context object that is used."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


def handler(event: Event, context: Context) -> dict[str, Any]:
    """Process an SQS event, or one bare message.

    Returns:
        For SQS ``{"batchItemFailures": […]}``; for a bare message the fields of `TaskResult`.

    Raises:
        BatchFailed, ValidationError, NewerSchemaError: a bare message that failed.
    """
    if "Records" not in event:
        seconds = _remaining(context)
        message = TaskMessage.model_validate(event)
        delivery = Delivery(message, seed_of(message, context.aws_request_id), 1, seconds)
        return processor().worker.process(delivery).model_dump()
    received: list[Record] = event["Records"]
    slots = min(len(received), concurrency(trusted=config.trust_generators)) or 1
    share = TimeShare(len(received), slots, lambda: _remaining(context))
    with ThreadPoolExecutor(slots, thread_name_prefix="batch") as pool:
        outcomes = [*pool.map(lambda record: processor().process(record, share.next()), received)]
    for record, outcome in zip(received, outcomes, strict=True):
        _log(record, outcome)
    kept = (record for record, outcome in zip(received, outcomes, strict=True) if not outcome.delete)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in kept]}


class TimeShare:
    """Shares what is left of an invocation's time among its records, so that the last one has as much as the first.

    Args:
        records: how many there are.
        slots: how many of them are processed at once.
        remaining: the seconds that are left.
    """

    def __init__(self, records: int, slots: int, remaining: Callable[[], float]) -> None:
        self._left, self._slots, self._remaining = records, slots, remaining
        self._lock = Lock()

    def next(self) -> float:
        """The seconds that the next record may take."""
        with self._lock:
            turns = -(-self._left // self._slots)
            self._left -= 1
            return self._remaining() / turns


def _remaining(context: Context) -> float:
    return context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS


def _log(record: Record, outcome: Outcome) -> None:
    message, done = outcome.message, outcome.result
    if message and done:
        log.info(
            "%s %s: %d samples in %.1f s", message.type, message.indices, done.samples_uploaded, done.seconds
        )
        return
    log.warning("message %s: %s", record["messageId"], for_terminal(outcome.failure), exc_info=outcome.error)


@cache
def processor() -> MessageProcessor:
    """The processor of a warm Lambda."""
    return make_processor(config.answering, concurrency(trusted=config.trust_generators), renews=True)
