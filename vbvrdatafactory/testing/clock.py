"""A clock that a test advances."""


class Clock:
    """Seconds since 1970, which pass only by `advance`.

    >>> clock = Clock(100.0)
    >>> clock.advance(30)
    >>> clock()
    130.0

    Args:
        now: the time at first; default the beginning of 2026.
    """

    def __init__(self, now: float = 1_767_225_600.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """The time, in seconds since 1970."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass.

        Raises:
            ValueError: time would go backwards.
        """
        if seconds < 0:
            raise ValueError(f"time does not go backwards: {seconds} s")
        self._now += seconds
