"""The wait, on a clock and a queue of the test's own: when it ends, and why."""

import logging
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from vbvrdatafactory.control.dataset_lock import DatasetLockLost
from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.control.run_policy import PollPolicy, RunPolicy
from vbvrdatafactory.driver import wait as module
from vbvrdatafactory.driver.wait import WaitResult, wait_until_drained
from vbvrdatafactory.report.run_figures import Reason
from vbvrdatafactory.sqs.consumers import ConsumerDiagnosis
from vbvrdatafactory.sqs.depth import Depth

EMPTY, WAITING = Depth(0, 0, 0), Depth(9, 0, 0)
POLL = PollPolicy(poll_seconds=15, empty_polls=4, stall_seconds=900)


class World:
    """A queue that answers as told, turn by turn, the last answer for ever; 15 seconds pass in each."""

    def __init__(self, *answers: Depth | Exception) -> None:
        self.answers = list(answers)
        self.now = 0.0
        self.overspent: str | None = None
        self.lost_at = self.paused_until = None
        self.paused_from = 0.0
        # As a run.
        self.done, self.failures, self.dataset = 0, {}, "d"
        self.proven: set[str] = set()
        self.policy = RunPolicy(POLL)
        self.work_done, self.cost = None, ""
        self.guard = SimpleNamespace(check=self.check, pause=self.pause, describe=str)
        # As the services.
        self.config = SimpleNamespace(sqs_queue_url="tasks")
        self.sqs = self.functions = None
        self.clock = self
        self.log = logging.getLogger("wait")

    def depth(self, _client: object, _url: str) -> Depth:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now

    def count_samples(self, _: object) -> None:
        """The bucket is listed: `done` is what the test says."""

    def count_failures(self, _: object, *, at_once: bool = False) -> str | None:
        return self.overspent

    def check(self, _: object) -> None:
        if self.lost_at is not None and self.now >= self.lost_at:
            raise DatasetLockLost("taken over by run second")

    def pause(self, _: object) -> PauseState | None:
        paused = self.paused_until is not None and self.paused_from <= self.now < self.paused_until
        return PauseState(paused=True, at=datetime.now(UTC)) if paused else None


@pytest.fixture
def wait(monkeypatch):
    """Runs a wait in a world."""

    def run(world: World, held_back: tuple[str, ...] = ()) -> WaitResult:
        diagnosis = ConsumerDiagnosis("the mapping is disabled", "enable it", consuming=False)
        monkeypatch.setattr(module, "depth", world.depth)
        monkeypatch.setattr(module, "diagnose_consumers", lambda *_: diagnosis)
        return wait_until_drained(world, world, held_back)

    return run


def away() -> Exception:
    return EndpointConnectionError(endpoint_url="http://sqs")


def test_an_empty_queue_is_believed_after_several_looks(wait) -> None:
    """Counts are approximate: one zero is no end, nor are two with a message between them."""
    world = World(EMPTY, WAITING, EMPTY, EMPTY, EMPTY, EMPTY)
    assert wait(world) == WaitResult(None)
    assert world.now == 75


def test_a_queue_that_nobody_takes_from_ends_the_wait_with_the_next_move(wait) -> None:
    """After the time that counts as a stall the diagnosis is in the result."""
    world = World(WAITING)
    early = wait(world).early
    assert (early.reason, world.now) == (Reason.STALLED, 900)
    assert "no message was received for 15 min: the mapping is disabled" in early.detail
    assert early.next_move.startswith("enable it")


def test_a_pause_is_no_stall(wait) -> None:
    """However long it lasts, the stall's time begins when it is over."""
    world = World(WAITING)
    world.paused_until = 5000
    assert wait(world).early.reason is Reason.STALLED
    assert world.now >= 5000 + 900 - 15


def test_empty_looks_before_a_pause_are_not_believed_after_it(wait) -> None:
    """Three looks of four were empty, then somebody paused: four more are needed from its end on."""
    world = World(EMPTY)
    world.paused_from, world.paused_until = 45, 60
    assert wait(world).early is None
    assert world.now == 60 + 3 * POLL.poll_seconds


def test_a_spent_budget_ends_the_wait_at_once(wait) -> None:
    """Nobody waits for messages of a hopeless run."""
    world = World(WAITING)
    world.overspent = "4 batches failed, at most 3 may fail"
    early = wait(world).early
    assert (early.reason, world.now) == (Reason.BUDGET, 0)
    assert "4 batches failed, at most 3 may fail" in early.detail


def test_a_lost_lock_ends_the_wait(wait) -> None:
    """The run that took over is named."""
    world = World(WAITING)
    world.lost_at = 60
    early = wait(world).early
    assert (early.reason, world.now) == (Reason.LOCK_LOST, 60)
    assert "run second" in early.detail


def test_aws_away_for_minutes_is_sat_out(wait, caplog) -> None:
    """Twenty looks without an answer, then the queue is read again; the log says what was wrong."""
    assert wait(World(*[away()] * 20, EMPTY)).early is None
    assert "no answer for 285 s, trying again: EndpointConnectionError" in caplog.text


def test_aws_away_for_good_is_an_error(wait) -> None:
    """After as long as a stall may take the run fails with what AWS said."""
    world = World(away())
    with pytest.raises(EndpointConnectionError):
        wait(world)
    assert world.now > 900


def test_a_long_wait_is_neither_silent_nor_a_flood(wait, caplog) -> None:
    """Ten hours of polls every 15 seconds are some hundred lines, never more than a minute and a look apart."""
    caplog.set_level(logging.INFO)
    world = World(*[Depth(9000 - n, 9, 0) for n in range(2400)], EMPTY)
    wait(world)
    assert 480 <= len([record for record in caplog.records if record.name == "wait"]) <= 640


def test_a_wait_ends_when_what_was_held_back_may_go(wait) -> None:
    """A generator that has made something ends the wait while others' probes are in flight; its neighbours wait on."""
    world = World(Depth(0, 3, 0))
    world.proven = {"quick", "another"}
    waited = wait(world, ("quick", "late"))
    assert (waited.proven, waited.early) == ({"quick"}, None)
