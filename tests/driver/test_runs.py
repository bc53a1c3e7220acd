"""Reports are kept by run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.driver.reports import copy_report, write_report
from vbvrdatafactory.driver.runs import list_runs
from vbvrdatafactory.planning.plan import make_spec
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.run_figures import RunFigures
from vbvrdatafactory.report.tallies import Tally
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.specs import write_spec

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATEST = "_datafactory/datasets/spring/report"


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    write_spec(made, make_spec(dataset="spring", generators=("A",), samples=9))
    return made


def report(hour: int, whole: int = 9, **figures: object) -> Report:
    tally = Tally(generator="A", expected=9, whole=whole, torn=0)
    figures = {"messages": 3, "rounds": 1, "samples": whole, "seconds": 5.0, **figures}
    run = RunFigures.model_validate(figures)
    return Report(dataset="spring", at=NOON + timedelta(hours=hour), generators=[tally], run=run)


def test_a_run_does_not_replace_the_report_of_another(store: MemoryStore) -> None:
    """Every run's report stays, in order of time, and the latest is also where it has always been."""
    first, second = report(0, whole=4), report(1)
    for each in (first, second):
        write_report(store, each)
    assert [run.report for run in list_runs(store, "spring")] == [second, first]
    assert records.read(store, f"{LATEST}.json", Report) == second
    for run in list_runs(store, "spring"):
        assert "spring" in bytes(obstore.get(store, run.key).bytes()).decode()


def test_two_runs_of_one_second_are_two(store: MemoryStore) -> None:
    """Runs that end in the same second have names of their own; the same report filed twice has one."""
    for each in (report(0), report(0, messages=4), report(0)):
        write_report(store, each)
    assert len(list_runs(store, "spring")) == 2


def test_a_look_is_no_run(store: MemoryStore) -> None:
    """A report without a run, as completeness-report files it, is the latest and no run."""
    write_report(store, report(0).model_copy(update={"run": None}))
    assert list_runs(store, "spring") == []


def test_what_was_filed_before_runs_were_kept_is_found(store: MemoryStore) -> None:
    """A bucket that has only the latest report, as earlier versions left it, shows its run."""
    old = report(0)
    records.write(store, f"{LATEST}.json", old)
    assert [(run.report, run.key) for run in list_runs(store, "spring")] == [(old, f"{LATEST}.html")]


def test_one_that_cannot_be_read_is_named(store: MemoryStore) -> None:
    """A damaged report, or one of which only the page is there, hides none of the others."""
    write_report(store, report(0))
    records.write_text(store, "_datafactory/datasets/spring/runs/x/report.json", "{")
    records.write_text(store, "_datafactory/datasets/spring/runs/y/report.html", "page")
    found = list_runs(store, "spring")
    assert [bool(run.report) for run in found] == [True, False, False]
    assert "runs/y/report.json is missing" in found[1].problem
    assert "no Report" in found[2].problem


def test_a_damaged_report_of_a_run_keeps_its_place(store: MemoryStore) -> None:
    """Whether it can be read or not, a run stands where its name says."""
    for hour in range(3):
        write_report(store, report(hour))
    damaged = report(1).run_name
    records.write_text(store, keys.run_file("spring", damaged, "report.json"), "{")
    found = list_runs(store, "spring")
    assert (
        [damaged in run.key for run in found] == [bool(run.problem) for run in found] == [False, True, False]
    )


def test_what_is_of_no_run_takes_no_place_of_one(store: MemoryStore) -> None:
    """Folders of anybody's under `runs/` come last; the latest run is found under its own name, and once."""
    for hour in range(2):
        write_report(store, report(hour))
    for name in ("zz", "latest", "2027", "20991231T000000Z", "20991231T000000Z-copy"):
        records.write_text(store, keys.run_file("spring", name, "notes.txt"), "mine")
    pages = [keys.run_file("spring", report(hour).run_name, "report.html") for hour in (1, 0)]
    assert [run.key for run in list_runs(store, "spring", most=2)] == pages
    assert [run.key for run in list_runs(store, "spring")][:2] == pages
    assert len(list_runs(store, "spring")) == 7


def test_the_latest_come_first_and_no_more_than_asked(store: MemoryStore) -> None:
    """Of many runs the latest are shown."""
    for hour in range(5):
        write_report(store, report(hour))
    hours = [run.report.at.hour for run in list_runs(store, "spring", most=2) if run.report]
    assert hours == [16, 15]


def test_an_unknown_dataset_is_refused(store: MemoryStore) -> None:
    """A slip in the name offers the names there are."""
    with pytest.raises(DataFactoryError, match="described: spring"):
        list_runs(store, "autumn")


def test_a_run_is_kept_at_home_too(store: MemoryStore, tmp_path: Path) -> None:
    """Brought home, a report lies at the top and beside it under its run; an earlier run's stays."""
    for each in (report(0, whole=4), report(1)):
        write_report(store, each)
        page = copy_report(store, "spring", tmp_path)
    assert "complete" in page.read_text()
    kept = sorted(folder.name for folder in (tmp_path / "runs").iterdir())
    assert kept == [report(0, whole=4).run_name, report(1).run_name]
