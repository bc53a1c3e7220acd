"""What the person who asks for a dataset allows its run, as values."""

from typing import Literal, NamedTuple

from vbvrdatafactory.control.budget import Budget

IfBusy = Literal["wait", "refuse"]


class Patience(NamedTuple):
    """How the queue is watched.

    Args:
        poll_seconds: between two looks.
        looks: empty looks running that count as drained.
        stall_seconds: how long messages may wait with none in flight and none taken.
    """

    poll_seconds: float = 15.0
    looks: int = 4
    stall_seconds: float = 900.0

    @classmethod
    def of(cls, poll_seconds: float, stall_minutes: float) -> "Patience":
        """The patience that a flow's parameters ask for."""
        return cls(poll_seconds=max(0.1, poll_seconds), stall_seconds=60 * stall_minutes)


class Terms(NamedTuple):
    """How long a run goes on, how it watches, and what it does when another run makes the dataset."""

    patience: Patience = Patience()
    budget: Budget = Budget()
    max_rounds: int = 4
    if_busy: IfBusy = "wait"

    @classmethod
    def of(  # noqa: PLR0913 - a flow's flat parameters
        cls,
        *,
        poll_seconds: float,
        stall_minutes: float,
        max_failures: int | None,
        max_failure_percent: int,
        max_rounds: int,
        if_busy: IfBusy,
    ) -> "Terms":
        """The terms that a flow's parameters ask for."""
        patience = Patience.of(poll_seconds, stall_minutes)
        return cls(patience, Budget(max_failures, max_failure_percent), max_rounds, if_busy)
