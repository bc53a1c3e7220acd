"""What a real Prefect server keeps of a run, and lists on the run's page."""

from datetime import UTC, datetime
from typing import Any

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.context import get_run_context
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from tasks import artifacts
from vbvrdatafactory.control.queue_watch import QueueStatus
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.live import RunSnapshot
from vbvrdatafactory.report.tallies import Tally
from vbvrdatafactory.sqs.depth import Depth

pytestmark = pytest.mark.prefect


@task
def wait(progress: Any) -> None:
    for done in (0, 5, 9):
        progress.show(60.0 * done, RunSnapshot(QueueStatus.WORKING, done, Depth(1, 1, 0)))


@flow
def run(report: Report) -> Any:
    with artifacts.LiveProgress("Kept!", 10) as progress:
        for _ in range(2):
            wait(progress)
    artifacts.publish(report)
    return get_run_context().flow_run.id  # type: ignore[union-attr]


def test_a_run_has_four_artifacts_however_often_they_change(
    prefect_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Page, bar, summary and table; all of the flow run; their addresses are in the log, which the side bar lacks."""
    tally = Tally(generator="G", expected=10, whole=9, torn=0)
    report = Report(dataset="Kept!", at=datetime.now(UTC), bucket="lake", generators=[tally])
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        ran = run(report)
    with get_client(sync_client=True) as client:
        of_run = FlowRunFilter(id=FlowRunFilterId(any_=[ran]))
        kept = {artifact.key: artifact for artifact in client.read_artifacts(flow_run_filter=of_run)}
    assert sorted(kept) == ["kept--completeness", "kept--live", "kept--progress", "kept--summary"]
    assert str(kept["kept--live"].data).startswith("**Ended: 9 of 10 samples**")
    assert kept["kept--progress"].data == 90.0
    assert str(kept["kept--summary"].data).startswith("**Kept! is incomplete: 1 of 10 samples")
    for name in ("kept--live", "kept--summary", "kept--completeness"):
        assert f"/artifacts/artifact/{kept[name].id}" in caplog.text
