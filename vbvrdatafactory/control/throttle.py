"""Limits how often something expensive is done: to at most a twentieth of the time."""

_SHARE = 20


class Throttle:
    """When the next time is due.

    Args:
        at_least: shortest interval, in seconds.
    """

    def __init__(self, at_least: float) -> None:
        self._at_least = at_least
        self._next: float | None = None

    def is_due(self, now: float) -> bool:
        return self._next is None or now >= self._next

    def took(self, began: float, ended: float) -> None:
        """Record that it was done from `began` to `ended`."""
        self._next = ended + max(self._at_least, _SHARE * (ended - began))
