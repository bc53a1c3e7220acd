"""`datafactory runs`: what was done for a dataset."""

import json
from datetime import UTC, datetime

import pytest

from vbvrdatafactory.driver.reports import write_report
from vbvrdatafactory.planning.plan import make_spec
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.run_figures import EndedEarly, Reason, RunFigures
from vbvrdatafactory.report.tallies import Tally
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.specs import write_spec

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
STALLED = EndedEarly(reason=Reason.STALLED, detail="nobody takes any", next_move="start a worker")


@pytest.fixture
def two_runs(place):
    """A dataset that a run left incomplete and another one completed."""
    write_spec(place.store, make_spec(dataset="spring", generators=("A",), samples=2000))
    for hour, whole, early in ((1, 500, STALLED), (2, 2000, None)):
        run = RunFigures(messages=40, rounds=2, samples=500, seconds=95.4, early=early)
        tally = Tally(generator="A", expected=2000, whole=whole, torn=0)
        at = NOON.replace(hour=hour)
        write_report(place.store, Report(dataset="spring", at=at, generators=[tally], run=run))
    return place


def test_runs_are_listed(run, two_runs):
    """A line a run, the latest first: when, how long, what was asked and whole, messages, how it ended, and its page."""
    lines = [line.split() for line in run("runs", "spring").stdout.splitlines() if "2026" in line]
    assert [line[0] for line in lines] == ["2026-05-01T02:00:00+00:00", "2026-05-01T01:00:00+00:00"]
    assert lines[1][1:-1] == ["1", "min", "35", "s", "2,000", "500", "40", "incomplete", "(stalled)"]
    assert lines[0][-2] == "complete"
    assert lines[0][-1].startswith("_datafactory/datasets/spring/runs/20260501T020000Z-")


def test_runs_as_json(run, two_runs):
    """The same for programs."""
    latest = json.loads(run("runs", "spring", "--json", "-n", "1").stdout)
    assert len(latest) == 1
    assert {name: latest[0][name] for name in ("asked", "whole", "messages", "seconds", "ended_as")} == {
        "asked": 2000,
        "whole": 2000,
        "messages": 40,
        "seconds": 95.4,
        "ended_as": "complete",
    }


def test_an_unreadable_one_is_named(run, two_runs):
    """One damaged report is a note, not the end of the list."""
    records.write_text(
        two_runs.store, "_datafactory/datasets/spring/runs/20990101T000000Z-0/report.json", "{"
    )
    result = run("runs", "spring")
    assert "20990101T000000Z-0/report.json is no Report" in result.stderr
    assert "2026-05-01T02" in result.stdout


def test_no_run_yet(run, place):
    """A dataset that is only described says so."""
    write_spec(place.store, make_spec(dataset="spring", generators=("A",), samples=2))
    assert run("runs", "spring").stdout == "No run of 'spring' has left a report yet.\n"
