"""How far a build is, as a line of text."""

from vbvrdatafactory.core.humanize import format_bytes, format_duration, format_estimate


class Pace:
    """How fast bytes come, and how long the rest takes.

    Args:
        total: bytes in all.
        started: the time in seconds, by any clock.
    """

    def __init__(self, total: int, started: float) -> None:
        self._total, self._started, self._done = total, started, 0

    def line(self, more: int, now: float) -> str:
        """How it stands once `more` bytes are there."""
        self._done += more
        taken = now - self._started
        share = min(1.0, self._done / self._total) if self._total else 1.0
        text = f"{format_bytes(self._done)} of about {format_bytes(max(self._total, self._done))} in {format_duration(taken)}"
        if share < 1 and taken > 0:
            text += f", {format_bytes(round(self._done / taken))}/s, about {format_estimate(taken * (1 - share) / share)} left"
        return text
