"""The policy of a run: how it polls the queue, how many batches may fail, how many rounds it has."""

from typing import Literal, NamedTuple, Self

from vbvrdatafactory.control.budget import Budget
from vbvrdatafactory.control.spending import Spending

IfBusy = Literal["wait", "refuse"]

_SHORTEST_POLL_SECONDS = 0.1


class PollPolicy(NamedTuple):
    """How the task queue is polled.

    Args:
        poll_seconds: seconds between two polls.
        empty_polls: consecutive polls that must find the queue empty before it counts as drained; SQS counts
            are approximate.
        stall_seconds: how long messages may wait while none is received or finished.
    """

    poll_seconds: float = 15.0
    empty_polls: int = 4
    stall_seconds: float = 900.0


class RunPolicy(NamedTuple):
    """How long a run goes on, how it polls, and what it does when another run holds the dataset's lock.

    Args:
        poll: how the queue is polled.
        budget: how many batches may fail.
        max_rounds: how often missing samples are sent again.
        if_busy: wait until the dataset lock is free, or refuse.
        spending: what it may spend.
    """

    poll: PollPolicy = PollPolicy()
    budget: Budget = Budget()
    max_rounds: int = 4
    if_busy: IfBusy = "wait"
    spending: Spending = Spending()

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
        max_cost_usd: float | None = None,
        require_approval: bool = False,
    ) -> Self:
        """The policy of a flow's parameters."""
        poll = PollPolicy(
            poll_seconds=max(_SHORTEST_POLL_SECONDS, poll_seconds), stall_seconds=60 * stall_minutes
        )
        spending = Spending(max_cost_usd, require_approval)
        return cls(poll, Budget(max_failures, max_failure_percent), max_rounds, if_busy, spending)
