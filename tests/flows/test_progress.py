"""What a run says while it goes on."""

import logging
import time

import pytest

import flows  # noqa: F401 - it sets the filter
from vbvrdatafactory.cli.steps import step


def test_a_long_step_says_that_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """A step is named when it begins, and again and again with the seconds until it ends."""
    with step("Starting a server", every=0.02):
        time.sleep(0.3)
    began, *later = capsys.readouterr().err.splitlines()
    assert began == "Starting a server …"
    assert set(later) == {"Starting a server: 0 s so far"}
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("line", "is_said"),
    [
        ("Finished in state Completed()", False),
        ("Finished in state Failed('x')", True),
        ("9 samples missing", True),
    ],
)
def test_that_a_task_is_completed_is_no_news(line: str, *, is_said: bool) -> None:
    """Prefect's line on every task that went well is left out; a failure and our own lines stay."""
    log = logging.getLogger("prefect.task_runs")
    assert bool(log.filter(logging.makeLogRecord({"msg": line}))) is is_said
