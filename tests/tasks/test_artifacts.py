"""What the run page gets, and that a Prefect server which is away costs an artifact, never the run."""

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from tasks import artifacts
from vbvrdatafactory.control.queue_watch import QueueStatus
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.live import RunSnapshot
from vbvrdatafactory.report.tallies import Tally
from vbvrdatafactory.sqs.depth import Depth


@pytest.fixture(autouse=True)
def _log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger where no run is."""
    monkeypatch.setattr(artifacts, "get_run_logger", lambda: logging.getLogger("run"))


# How long a server of ours that does not answer holds whoever waits for it.
HANGS_SECONDS = 60.0


class Server:
    """What a Prefect server was told: artifacts made, and what was shown of each."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.shown: dict[UUID, list[Any]] = {}
        self.answers = threading.Event()
        self.answers.set()

    def create(self, artifact: Any) -> UUID:
        self.answers.wait(HANGS_SECONDS)
        made = uuid4()
        self.made.append(artifact.key)
        self.shown[made] = [artifact.format()]
        return made

    def update_artifact(self, known: UUID, update: Any) -> None:
        self.answers.wait(HANGS_SECONDS)
        self.shown[known].append(update.data)

    @property
    def last(self) -> dict[str, Any]:
        return {key: shown[-1] for key, shown in zip(self.made, self.shown.values(), strict=True)}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(artifacts, "_create", made.create)
    monkeypatch.setattr(artifacts, "get_client", lambda **_: made)
    return made


def seen(done: int, status: QueueStatus = QueueStatus.WORKING, note: str = "") -> RunSnapshot:
    return RunSnapshot(status, done, Depth(5, 1, 0), {}, note)


def test_a_fault_of_the_server_is_logged_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    """An artifact that can't be written is left out."""

    def away() -> None:
        raise ConnectionError("the server is away")

    assert artifacts.guarded(away) is None
    assert "the server is away" in caplog.text


@pytest.mark.parametrize(("name", "key"), [("VBVR v2.1", "vbvr-v2-1"), ("G-1_x", "g-1-x"), ("é", "-")])
def test_any_dataset_name_makes_an_artifact_key(name: str, key: str) -> None:
    """Keys hold only the letters that Prefect allows."""
    assert artifacts.artifact_key(name) == key


def test_a_run_has_one_page_and_one_bar_changed_in_place(server: Server) -> None:
    """Twelve hours of looks: two artifacts, a thousand or two updates of each at most, the last look shown last."""
    with artifacts.LiveProgress("spring", 43_200) as progress:
        for at in range(0, 43_200, 15):
            progress.show(float(at), seen(at))
        progress.show(43_200.0, seen(43_200))
    assert sorted(server.made) == ["spring-live", "spring-progress"]
    assert all(len(shown) <= 2000 for shown in server.shown.values())
    assert server.last["spring-progress"] == 100.0
    assert server.last["spring-live"].startswith("**Ended: 43,200 of 43,200 samples**")


def test_a_server_that_does_not_answer_holds_nobody(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks are shown in no time while an update hangs; when the server is back it gets the newest, not all."""
    server.answers.clear()
    progress = artifacts.LiveProgress("spring", 1000)
    began = time.monotonic()
    for at in range(0, 1000, 10):
        progress.show(float(at), seen(at))
    assert time.monotonic() - began < HANGS_SECONDS / 2
    server.answers.set()
    progress.close()
    assert all(len(shown) <= 3 for shown in server.shown.values())
    assert server.last["spring-progress"] == 99.0


def test_a_run_ends_while_the_server_hangs(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last update is waited for, for a moment."""
    monkeypatch.setattr(artifacts, "_LAST_SECONDS", 0.1)
    server.answers.clear()
    began = time.monotonic()
    with artifacts.LiveProgress("spring", 1000) as progress:
        progress.show(0.0, seen(1))
    assert time.monotonic() - began < HANGS_SECONDS / 2
    server.answers.set()


def test_a_server_that_was_away_at_the_start_gets_its_artifacts_later(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be made is made by the next update."""
    asked = threading.Event()

    def away(_: object) -> UUID:
        asked.set()
        raise ConnectionError("away")

    monkeypatch.setattr(artifacts, "_create", away)
    progress = artifacts.LiveProgress("spring", 10)
    progress.show(0.0, seen(1))
    assert asked.wait(HANGS_SECONDS)
    monkeypatch.setattr(artifacts, "_create", server.create)
    progress.show(60.0, seen(5))
    progress.close()
    assert server.last["spring-progress"] == 50.0


def test_a_note_stands_until_the_status_changes(server: Server) -> None:
    """A diagnosis is not asked for at every look, and is to be read for longer than one."""
    progress = artifacts.LiveProgress("spring", 10)
    progress.show(0.0, seen(1, QueueStatus.SLOW, "the mapping is disabled"))
    progress.show(60.0, seen(1, QueueStatus.SLOW))
    progress.close()
    assert "the mapping is disabled" in server.last["spring-live"]
    progress = artifacts.LiveProgress("spring", 10)
    progress.show(0.0, seen(1, QueueStatus.SLOW, "the mapping is disabled"))
    progress.show(60.0, seen(2, QueueStatus.WORKING))
    progress.close()
    assert "the mapping is disabled" not in server.last["spring-live"]


def test_updates_become_rarer_the_longer_a_run_lasts() -> None:
    """Each is kept by the server: five seconds apart at first, half a minute in a run of hours."""
    assert [artifacts._pause(elapsed) for elapsed in (0, 1000, 4000, 10**6)] == [5.0, 5.0, 10.0, 30.0]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.delenv("DATAFACTORY_BUCKET_FOLDER", raising=False)
    monkeypatch.setattr(artifacts, "config", Config(aws_region="eu-west-1"))
    tally = Tally(generator="G", expected=10, whole=9, torn=0)
    return Report(dataset="spring", at=datetime(2026, 1, 15, tzinfo=UTC), bucket="lake", generators=[tally])


def test_the_full_report_is_a_link_on_aws(report: Report) -> None:
    """To the console of the right region, named by what other tools call it."""
    (place,) = artifacts.places_of(report)
    assert place.startswith(
        "[s3://lake/_datafactory/datasets/spring/report.html](https://s3.console.aws.amazon.com/"
    )
    assert "region=eu-west-1&prefix=_datafactory%2Fdatasets%2Fspring%2Freport.html" in place


def test_the_full_report_is_a_file_on_the_embedded_aws(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket is a folder there; the page is opened from it."""
    monkeypatch.setenv("DATAFACTORY_BUCKET_FOLDER", "/data/lake")
    assert artifacts.places_of(report)[0] == "`/data/lake/_datafactory/datasets/spring/report.html`"


def test_a_report_that_was_not_filed_names_no_place(server: Server, report: Report) -> None:
    """An old file in its place would be somebody else's truth."""
    artifacts.publish(report, filed=False)
    assert "Full report" not in server.last["spring-summary"]
    artifacts.publish(report)
    assert "Full report" in server.last["spring-summary"]
