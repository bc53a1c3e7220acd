"""Messages that a worker had when the embedded AWS stopped: the worker went with it, so they come back at once.

Else they would wait for the end of a visibility timeout that nobody keeps, and each stop would count as one of
the receives after which a message goes to the dead letter queue. What another process received (``datafactory worker``) is left
alone, as is what a worker has handed back to be received again later.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping

    Message = MutableMapping[str, Any]

# In a message, and so in the saved state: the receipt a worker of the embedded AWS has it under.
_WITH_WORKER = "datafactory_with_worker"


def install(sqs: Any, lambda_svc: Any) -> None:
    """Have ministack mark the messages its workers have, and give back those of the last run when it starts."""
    sqs._receive_messages_for_esm = _marking(sqs._receive_messages_for_esm)
    lambda_svc._run_sqs_batch = _unmarking(lambda_svc._run_sqs_batch)
    sqs.load_persisted_state = _giving_back(sqs, sqs.load_persisted_state)


def give_back(messages: Iterable[Message], now: float) -> int:
    """Make visible what workers that are gone had received, as if they had not; how many these are."""
    given = [
        each for each in messages if each.pop(_WITH_WORKER, None) == each.get("receipt_handle") is not None
    ]
    for message in given:
        message["receipt_handle"] = None
        message["visible_at"] = now
        message["receive_count"] = max(0, message["receive_count"] - 1)
        if not message["receive_count"]:
            message["first_receive_at"] = None
    return len(given)


def _marking(receive: Callable[..., list[Message]]) -> Callable[..., list[Message]]:
    def marking(*arguments: Any) -> list[Message]:
        received = receive(*arguments)
        for message in received:
            message[_WITH_WORKER] = message["receipt_handle"]
        return received

    return marking


def _unmarking(run: Callable[..., None]) -> Callable[..., None]:
    def unmarking(esm: object, function: object, event: object, batch: list[Message], *where: object) -> None:
        try:
            run(esm, function, event, batch, *where)
        finally:
            for message in batch:
                message.pop(_WITH_WORKER, None)

    return unmarking


def _giving_back(sqs: Any, load: Callable[[Any], None]) -> Callable[[Any], None]:
    def giving_back(state: Any) -> None:
        load(state)
        for queue in sqs._queues._data.values():
            if count := give_back(queue["messages"], time.time()):
                sqs.logger.info("%d messages of workers that are gone are visible again", count)

    return giving_back
