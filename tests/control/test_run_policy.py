"""What a flow's parameters ask for, as values."""

import pytest

from vbvrdatafactory.control.budget import Budget
from vbvrdatafactory.control.run_policy import PollPolicy, RunPolicy

ASKED = {"max_failures": None, "max_failure_percent": 50, "max_rounds": 4, "if_busy": "wait"}


@pytest.mark.parametrize("poll", [0.0, -1.0])
def test_a_queue_is_never_polled_without_pause(poll: float) -> None:
    """However small a pause is asked for, there is one."""
    assert RunPolicy.of(poll_seconds=poll, stall_minutes=1, **ASKED).poll.poll_seconds > 0


def test_a_policy_is_what_the_parameters_say() -> None:
    """Polls in seconds, the stall in minutes, the budget as a number or a percentage, the rounds, who gives way."""
    policy = RunPolicy.of(
        poll_seconds=30,
        stall_minutes=15,
        max_failures=7,
        max_failure_percent=40,
        max_rounds=3,
        if_busy="refuse",
    )
    assert policy == RunPolicy(PollPolicy(poll_seconds=30, stall_seconds=900), Budget(7, 40), 3, "refuse")


def test_nothing_said_is_a_quarter_of_an_hour_too() -> None:
    """The defaults of the values are those of the form."""
    assert RunPolicy() == RunPolicy.of(poll_seconds=15, stall_minutes=15, **ASKED)
