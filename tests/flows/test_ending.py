"""How flows end that can't go on."""

import logging
import sys

import pytest

from flows import _is_news
from flows.completeness_report import completeness_report
from flows.ending import told_in_one_line
from flows.fill_gaps import fill_gaps
from flows.generate_dataset import generate_dataset
from flows.redrive_dead_letters import redrive_dead_letters
from vbvrdatafactory.core.errors import DataFactoryError, SpecError

FIRST_STEPS = {
    generate_dataset: "plan_dataset",
    fill_gaps: "recall_dataset",
    completeness_report: "recall_dataset",
    redrive_dead_letters: "redrive",
}


@pytest.mark.parametrize("flow", FIRST_STEPS, ids=lambda flow: flow.name)
def test_a_flow_that_cannot_go_on_says_why(flow, monkeypatch) -> None:
    """What we say ourselves, with the next move, is the message of the failed state, and no traceback."""

    def fail(*_: object, **__: object) -> None:
        raise SpecError("unknown generator 'x'; did you mean 'y'?")

    monkeypatch.setattr(sys.modules[flow.fn.__module__], FIRST_STEPS[flow], fail)
    state = flow.fn()
    assert (state.type.value, state.message) == ("FAILED", "unknown generator 'x'; did you mean 'y'?")


def test_what_nobody_foresaw_is_raised() -> None:
    """An error that is not ours keeps its traceback."""
    with pytest.raises(ZeroDivisionError):
        told_in_one_line(lambda: 1 / 0)()


def test_a_task_that_cannot_go_on_is_a_line() -> None:
    """Prefect's traceback under a task's error stays for what nobody foresaw; ours is the sentence alone."""
    ours = logging.makeLogRecord({"msg": "failed: %r", "exc_info": (None, DataFactoryError("say so"), None)})
    theirs = logging.makeLogRecord({"msg": "failed", "exc_info": (None, ValueError("?"), None)})
    assert _is_news(ours)
    assert _is_news(theirs)
    assert (ours.getMessage(), ours.exc_info) == ("say so", None)
    assert theirs.exc_info
