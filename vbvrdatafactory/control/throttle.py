"""How often something is done that costs: never for more than a twentieth of the time."""

_SHARE = 20


class Throttle:
    """When to do it again.

    Args:
        at_least: seconds between two times, however little it costs.
    """

    def __init__(self, at_least: float) -> None:
        self._at_least = at_least
        self._next: float | None = None

    def is_due(self, now: float) -> bool:
        return self._next is None or now >= self._next

    def took(self, began: float, ended: float) -> None:
        """It was done from `began` to `ended`."""
        self._next = ended + max(self._at_least, _SHARE * (ended - began))
