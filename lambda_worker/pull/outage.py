"""Rides out an outage of an AWS service: logs when it begins and ends, and retries with exponential backoff."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's
    HTTPClientError,
)

from vbvrdatafactory.control.backoff import delays

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# What a call to AWS may raise. While a worker runs none of it is the end: credentials are renewed, networks return.
FAULTS = (BotoCoreError, ClientError)

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


class Stopped(Exception):  # noqa: N818 - it names what happened
    """The worker is to end, so the call was not tried again."""


class Outage:
    """Whether a service answers, as the threads that call it report; each change is one line in the log.

    Args:
        service: its name, for the log.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self._lock = threading.Lock()
        self._since: float | None = None
        self._ended = float("-inf")

    def failed(self, error: Exception) -> None:
        """A call failed."""
        with self._lock:
            if self._since is not None:
                return
            self._since = time.monotonic()
        log.warning("%s is away (%s); trying again until it is back", self.service, _one_line(error))

    def answered(self) -> None:
        """A call succeeded."""
        with self._lock:
            since, self._since = self._since, None
            if since is not None:
                self._ended = time.monotonic()
        if since is not None:
            log.warning("%s is back after %.0f s", self.service, time.monotonic() - since)

    def is_over(self, call: Callable[[], object]) -> bool:
        """Whether `call` is answered now."""
        try:
            call()
        except FAULTS as error:
            self.failed(error)
            return False
        self.answered()
        return True

    def was_since(self, moment: float) -> bool:
        """Whether it has been away at any time since `moment`."""
        with self._lock:
            return self._since is not None or self._ended > moment

    @property
    def seconds(self) -> float:
        """For how long it has been away; 0 where it answers."""
        since = self._since
        return 0.0 if since is None else max(time.monotonic() - since, 0.001)


def retry_until_answered(outage: Outage, call: Callable[[], Answer], stopped: threading.Event) -> Answer:
    """Retry `call` until the service answers; returns what it returns.

    Raises:
        Stopped: it failed, and `stopped` was set.
    """
    for longest in delays(_FIRST_PAUSE, _LONGEST_PAUSE):
        try:
            answer = call()
        except FAULTS as error:
            outage.failed(error)
        else:
            outage.answered()
            return answer
        if stopped.wait(with_jitter(longest)):
            break
    raise Stopped


def with_jitter(longest: float) -> float:
    """A delay of at most `longest` seconds, at random, so that workers do not retry all at once.

    >>> 0.25 <= with_jitter(0.5) <= 0.5
    True
    """
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret


def is_away(error: Exception) -> bool:
    """Whether the service was not reached or failed by itself, so that nobody's settings are to blame."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429
    return isinstance(error, (ConnectionError, HTTPClientError))


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
