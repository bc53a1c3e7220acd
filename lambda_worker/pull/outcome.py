"""What became of one delivery of a message.

The handler answers whether the message may be deleted, which is all that SQS needs to know. Why a batch
failed, and that one to be deleted was given up, it says in its log alone; here that is heard.
"""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from lambda_worker.pull.visibility import Record

Deliver = Callable[[Record, float, threading.Event], "Outcome"]


class Outcome(NamedTuple):
    """How a delivery ended.

    Args:
        delete: the message is out of the way: its batch is done, or it is a dead letter.
        failure: why the batch failed; empty where it is done.
    """

    delete: bool
    failure: str = ""


class Ear(logging.Filter):
    """On the handler's logger: keeps what it says of a failure from the log, for `outcome_of` to tell."""

    def __init__(self) -> None:
        super().__init__()
        self._batch = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        heard: list[str] | None = getattr(self._batch, "heard", None)
        if heard is None or record.levelno < logging.WARNING:
            return True
        heard.append(_in_words(record))
        return False

    def outcome_of(self, record: Record, deliver: Callable[[], bool]) -> Outcome:
        """What `deliver` answered for `record`, and what was heard meanwhile in this thread."""
        heard: list[str] = []
        self._batch.heard = heard
        try:
            delete = deliver()
        finally:
            del self._batch.heard
        said = [one.replace(f" of message {record['messageId']}", "", 1) for one in heard]
        return Outcome(delete, "; ".join(said) or ("" if delete else "it says no more"))


def _in_words(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    said = _clip(record.getMessage())
    return f"{said}: {in_short(error)}" if error else said


def in_short(error: BaseException) -> str:
    """One line about `error`.

    >>> in_short(OSError("no route  Debug source: Generic {"))
    'OSError: no route'
    """
    return _clip(f"{type(error).__name__}: {error}")


def _clip(told: str) -> str:
    """One line, without the pages in which obstore tells how an error came about."""
    return " ".join(told.partition("Debug source")[0].split())[:600]
