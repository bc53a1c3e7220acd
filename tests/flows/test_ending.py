"""How flows end that can't go on."""

import logging
import sys

import pytest

from flows import _is_news_of_a_flow, _is_news_of_a_task
from flows.completeness_report import completeness_report
from flows.ending import told_in_one_line
from flows.fill_gaps import fill_gaps
from flows.generate_dataset import generate_dataset
from flows.redrive_dead_letters import redrive_dead_letters
from flows.release_dataset import release_dataset
from vbvrdatafactory.core.errors import DataFactoryError, SpecError

FIRST_STEPS = {
    generate_dataset: "plan_dataset",
    fill_gaps: "read_plan",
    completeness_report: "read_plan",
    redrive_dead_letters: "redrive",
    release_dataset: "read_plan",
}


@pytest.mark.parametrize("flow", FIRST_STEPS, ids=lambda flow: flow.name)
def test_a_flow_that_cannot_go_on_says_why(flow, monkeypatch, cloud) -> None:
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
    assert _is_news_of_a_task(ours)
    assert _is_news_of_a_task(theirs)
    assert (ours.getMessage(), ours.exc_info) == ("say so", None)
    assert theirs.exc_info


def test_a_flow_that_cannot_go_on_is_told_once() -> None:
    """The traceback that Prefect's engine adds when such a flow ends is left out; one of nobody's foresight stays."""
    ours = logging.makeLogRecord(
        {"msg": "Engine execution exited", "exc_info": (None, SpecError("say so"), None)}
    )
    theirs = logging.makeLogRecord(
        {"msg": "Engine execution exited", "exc_info": (None, ValueError("?"), None)}
    )
    log = logging.getLogger("prefect.flow_runs")
    assert _is_news_of_a_flow in log.filters
    assert not log.filter(ours)
    assert log.filter(theirs)
