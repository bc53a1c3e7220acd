"""What ``python -m flows`` says of a run that had nothing to do."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.__main__ import main
from tests.recorded import put_recorded
from vbvrdatafactory.core.generators_lock import pin
from vbvrdatafactory.driver.observe import observe
from vbvrdatafactory.driver.reports import build_report, write_report
from vbvrdatafactory.lockfile import read_lock
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.run_figures import RunFigures
from vbvrdatafactory.s3.specs import write_spec
from vbvrdatafactory.testing import InMemoryAws

MAZE = "V-1_maze_path_data-generator"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
PINS = pin(read_lock(Path("generators")), [MAZE])
PLAN = Plan(make_spec(dataset="spring", generators=(MAZE,), samples=2, pins=PINS))


@pytest.fixture
def complete(cloud: InMemoryAws) -> InMemoryAws:
    """A bucket that holds all that `make_again` asks for."""
    put_recorded(cloud.store, MAZE, range(2))
    write_spec(cloud.store, PLAN.spec)
    return cloud


def file_run(cloud: InMemoryAws, hour: int) -> Report:
    """The report of a run that ended at that hour, filed."""
    found = build_report(cloud.store, PLAN, observe(cloud.store, PLAN), "bucket")
    report = found.model_copy(
        update={"at": NOON + timedelta(hours=hour), "run": RunFigures(messages=hour, rounds=1)}
    )
    write_report(cloud.store, report)
    return report


def make_again(folder: Path) -> Result:
    asked = ["--dataset", "spring", "-g", MAZE, "-n", "2", "-b", str(PLAN.spec.batch_size)]
    return CliRunner().invoke(main, [*asked, "--report-folder", str(folder)], catch_exceptions=False)


def kept(folder: Path) -> Report:
    return Report.model_validate_json((folder / "report.json").read_text(encoding="utf-8"))


def test_the_report_is_of_the_run_that_made_it(complete: InMemoryAws, tmp_path: Path) -> None:
    """Nothing is sent, and the page that is named is of the latest run, by its figures; it stays when asked again."""
    run = file_run(complete, 1)
    for _ in range(2):
        done = make_again(tmp_path)
        assert (done.exit_code, kept(tmp_path)) == (0, run)
        assert "messages=0" in done.output.splitlines()[-1]
        assert f"{tmp_path / 'report.html'}, of the run that made it" in done.output
    assert not complete.messages()


def test_a_run_made_elsewhere_is_brought(complete: InMemoryAws, tmp_path: Path) -> None:
    """A folder that holds an earlier run's page gets that of the run since, and keeps the earlier one's beside it."""
    first = file_run(complete, 1)
    make_again(tmp_path)
    second = file_run(complete, 2)
    assert make_again(tmp_path).exit_code == 0
    assert kept(tmp_path) == second
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {first.run_name, second.run_name}
