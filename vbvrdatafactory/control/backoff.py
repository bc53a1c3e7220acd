"""Exponential backoff: how long to wait before each further attempt. Values only; the caller sleeps."""

from collections.abc import Iterator


def delays(first: float, cap: float, factor: float = 2.0) -> Iterator[float]:
    """Delays before the second, third and every further attempt, without end.

    Args:
        first: the first delay, in seconds.
        cap: the longest delay, in seconds.
        factor: how many times as long each delay is as the one before.

    >>> from itertools import islice
    >>> [*islice(delays(0.5, 3), 5)]
    [0.5, 1.0, 2.0, 3, 3]
    """
    delay = first
    while delay < cap:
        yield delay
        delay *= factor
    while True:
        yield cap
