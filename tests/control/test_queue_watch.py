"""Working, slow, stalled, paused, drained: told apart by looks at approximate counts."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.control.queue_watch import QueueStatus, QueueWatch

LOOKS, STALL = 3, 100.0


class Counts(NamedTuple):
    waiting: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return sum(self)


EMPTY = Counts(0, 0, 0)
counts = st.builds(Counts, st.integers(0, 2), st.integers(0, 2), st.integers(0, 1))


def watch() -> QueueWatch:
    return QueueWatch(empty_polls=LOOKS, stall_seconds=STALL, started=0.0)


def statuses(seen: list[tuple[Counts, int]], every: float = 10.0) -> list[QueueStatus]:
    """The verdicts on looks that are `every` seconds apart."""
    watching = watch()
    return [watching.saw(depth, done, every * (n + 1)) for n, (depth, done) in enumerate(seen)]


@given(st.lists(st.tuples(counts, st.just(0)), max_size=20))
def test_drained_is_several_empty_looks_running(seen: list[tuple[Counts, int]]) -> None:
    """Zeros are believed after three looks running, and after no fewer."""
    for n, verdict in enumerate(statuses(seen, every=0.1)):
        last = [depth for depth, _ in seen[max(0, n - LOOKS + 1) : n + 1]]
        assert (verdict is QueueStatus.DRAINED) is (last == [EMPTY] * LOOKS)


@given(st.lists(counts, min_size=1, max_size=30))
def test_whoever_finishes_something_at_each_look_works(seen: list[Counts]) -> None:
    """Neither slow nor stalled, whatever the queue's counts say."""
    for n, verdict in enumerate(statuses([(depth, n) for n, depth in enumerate(seen)])):
        assert verdict in {QueueStatus.WORKING, QueueStatus.DRAINED}, n


@given(st.lists(st.tuples(counts, st.integers(0, 3)), max_size=40))
def test_a_stall_is_never_called_early(seen: list[tuple[Counts, int]]) -> None:
    """Stalled means: for the whole stall time every look had messages waiting, none in flight, nothing new done."""
    for n, verdict in enumerate(statuses(seen)):
        if verdict is QueueStatus.STALLED:
            quiet = seen[max(0, n - int(STALL / 10) + 1) : n + 1]
            assert all(depth.waiting and not depth.in_flight for depth, _ in quiet)


def test_nobody_takes_anything_is_slow_then_stalled() -> None:
    """Half of the stall time is a warning, the whole of it a verdict."""
    verdicts = statuses([(Counts(5, 0, 0), 0)] * 10)
    assert verdicts == [QueueStatus.WORKING] * 4 + [QueueStatus.SLOW] * 5 + [QueueStatus.STALLED]


def test_a_long_batch_is_slow_and_never_stalled() -> None:
    """Something is in flight and nothing is finished: a person should know, and the run goes on."""
    verdicts = statuses([(Counts(5, 2, 0), 0)] * 100)
    assert verdicts == [QueueStatus.WORKING] * 4 + [QueueStatus.SLOW] * 96


def test_messages_that_fail_and_come_back_are_not_work() -> None:
    """Taken, failed, back again: in flight at every other look, nothing finished; slow, not working for ever."""
    flapping = [(Counts(5, 0, 0), 7), (Counts(3, 2, 0), 7)] * 20
    assert set(statuses(flapping)[5:]) == {QueueStatus.SLOW}


def test_dead_letters_are_progress_of_a_kind() -> None:
    """A queue that gets smaller than ever is being worked on, even if nothing of it is done."""
    verdicts = statuses([(Counts(40 - n, 0, 0), 0) for n in range(30)])
    assert set(verdicts) == {QueueStatus.WORKING}


def test_counts_that_read_zero_for_a_moment_are_no_progress() -> None:
    """Approximate counts dip to zero and come back: the idle time goes on."""
    watching = watch()
    for n, depth in enumerate([Counts(5, 1, 0), EMPTY, Counts(5, 1, 0)]):
        watching.saw(depth, 0, 10.0 * (n + 1))
    assert watching.idle(30.0) == 30.0


def test_what_is_only_delayed_cannot_stall() -> None:
    """Delayed messages can't be taken yet; the clock begins when they wait."""
    verdicts = statuses([(Counts(0, 0, 5), 0)] * 20 + [(Counts(5, 0, 0), 0)] * 10)
    assert QueueStatus.STALLED not in verdicts[:-1]
    assert verdicts[-1] is QueueStatus.STALLED


def test_the_clock_stands_in_a_pause_and_begins_anew_after_it() -> None:
    """An hour of pause is no stall, nor any part of the next."""
    watching, depth = watch(), Counts(5, 0, 0)
    watching.saw(depth, 0, 90.0)
    assert watching.saw(depth, 0, 3600.0, paused=True) is QueueStatus.PAUSED
    assert watching.saw(depth, 0, 3610.0) is QueueStatus.WORKING
    assert watching.saw(depth, 0, 3699.0) is QueueStatus.SLOW
    assert watching.saw(depth, 0, 3700.0) is QueueStatus.STALLED


def test_an_empty_queue_is_not_drained_in_a_pause() -> None:
    """Empty looks count from the end of the pause."""
    watching = watch()
    paused = [watching.saw(EMPTY, 0, float(n), paused=True) for n in range(5)]
    after = [watching.saw(EMPTY, 0, 5.0 + n) for n in range(3)]
    assert (set(paused), after[-1], after[0]) == (
        {QueueStatus.PAUSED},
        QueueStatus.DRAINED,
        QueueStatus.WORKING,
    )


@pytest.mark.parametrize("done", [1, 10])
def test_idle_counts_from_the_last_thing_finished(done: int) -> None:
    """More done sets it to zero."""
    watching = watch()
    watching.saw(Counts(5, 1, 0), 0, 50.0)
    watching.saw(Counts(5, 1, 0), done, 60.0)
    assert watching.idle(75.0) == 15.0


def test_a_count_that_jitters_is_no_progress() -> None:
    """Approximate counts go up and down by themselves: only fewer than ever is work, so the run stalls, not hangs."""
    verdicts = statuses([(Counts(5 + n % 2, 0, 0), 0) for n in range(11)])
    assert verdicts[-1] is QueueStatus.STALLED


@given(st.lists(st.integers(3, 9), min_size=20, max_size=40))
def test_messages_that_only_wait_stall_however_they_are_counted(waiting: list[int]) -> None:
    """Stalled is the stall time after the last look that showed fewer than ever, and no sooner or later."""
    progressed = 0.0
    for n, verdict in enumerate(statuses([(Counts(count, 0, 0), 0) for count in waiting])):
        now = 10.0 * (n + 1)
        if n and waiting[n] < min(waiting[:n]):
            progressed = now
        assert (verdict is QueueStatus.STALLED) is (now - progressed >= STALL), n


@pytest.mark.parametrize("looks", [1, 2])
def test_empty_looks_before_a_pause_are_not_counted_after_it(looks: int) -> None:
    """What was sent while it lasted may not show yet: drained is so many empty looks from its end on."""
    watching = watch()
    for n in range(looks):
        watching.saw(EMPTY, 0, float(n))
    watching.saw(EMPTY, 0, 3.0, paused=True)
    after = [watching.saw(EMPTY, 0, 4.0 + n) for n in range(LOOKS)]
    assert after == [QueueStatus.WORKING] * (LOOKS - 1) + [QueueStatus.DRAINED]
