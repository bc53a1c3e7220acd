"""`datafactory pause` and `resume`: what is wanted lies in the bucket."""

from datetime import UTC, datetime

import pytest

from vbvrdatafactory.cli import pausing
from vbvrdatafactory.core import keys
from vbvrdatafactory.planning.plan import make_spec
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.pause import read_pause
from vbvrdatafactory.s3.specs import write_spec


@pytest.fixture
def planned(place):
    """A dataset that the bucket describes."""
    write_spec(place.store, make_spec(dataset="mine", generators=("G",), samples=10))
    return place


def test_a_pause_is_data_in_the_bucket(planned, run) -> None:
    """It says why and who, and how it ends; after resume it is not wanted any more."""
    told = run("pause", "mine", "--reason", "lunch")
    wanted = read_pause(planned.store, "mine")
    assert (told.exit_code, wanted.paused, wanted.reason) == (0, True, "lunch")
    assert "@" in wanted.by
    assert "datafactory resume mine" in told.output
    ended = run("resume", "mine")
    assert ended.exit_code == 0
    assert ended.output.startswith("mine goes on: it was paused by ")
    assert "lunch" in ended.output
    assert run("resume", "mine").output == "mine was not paused.\n"
    assert not read_pause(planned.store, "mine").paused


def test_a_dataset_that_nobody_described_is_not_paused(planned, run) -> None:
    """A slip in the name is told with the names that are known, and nothing is written."""
    told = run("pause", "mime")
    assert told.exit_code == 1
    assert "described: mine" in told.output
    assert read_pause(planned.store, "mime") is None


def test_workers_that_aws_does_not_know_are_not_said_to_have_stopped(planned, run) -> None:
    """Without an event source mapping the dataset is paused, and the person told what that leaves running."""
    told = run("pause", "mine", "--workers")
    assert told.exit_code == 1
    assert "no event source mapping" in told.output
    assert "datafactory worker" in told.output
    assert read_pause(planned.store, "mine").paused


@pytest.fixture
def switched(planned, monkeypatch) -> list[bool]:
    """What the queue's Lambda was told: whether to take messages."""
    told: list[bool] = []

    def switch(*args: object) -> int:
        told.append(bool(args[-1]))
        return 1

    monkeypatch.setattr(pausing, "set_consuming", switch)
    return told


def test_a_resume_that_leaves_the_workers_stopped_says_so(planned, run, switched) -> None:
    """Until they take messages again each resume names the command; that one tells that it ended something."""
    run("pause", "mine", "--workers")
    run("pause", "mine", "--reason", "still at lunch")
    for _ in range(2):
        assert "'datafactory resume mine --workers'" in run("resume", "mine").output
    ended = run("resume", "mine", "--workers").output
    assert "was not paused" not in ended
    assert "The Lambda takes messages" in ended
    assert switched == [False, True]
    assert run("resume", "mine").output == "mine was not paused.\n"


def test_workers_that_could_not_be_told_are_not_remembered(planned, run) -> None:
    """A pause that did not reach the Lambda leaves nothing to resume there."""
    run("pause", "mine", "--workers")
    assert "--workers" not in run("resume", "mine").output


def test_a_pause_of_before_workers_were_written_down_is_read(planned, run) -> None:
    """What an earlier version left in the bucket says nothing of workers, and is ended as it was."""
    at = datetime(2026, 1, 15, 12, tzinfo=UTC).isoformat()
    records.write_text(
        planned.store,
        keys.pause_state("mine"),
        f'{{"paused": true, "reason": "", "by": "ann", "at": "{at}"}}',
    )
    assert run("resume", "mine").output.startswith("mine goes on: it was paused by ann")
