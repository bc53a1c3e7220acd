"""What the page of a run that goes on says."""

from datetime import UTC, datetime

import pytest

from vbvrdatafactory.control.queue_watch import QueueStatus
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.report.live import RunProgress, RunSnapshot, describe_failures
from vbvrdatafactory.sqs.depth import Depth

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def seen(status: QueueStatus, done: int, **more: object) -> RunSnapshot:
    return RunSnapshot(status, done, Depth(1480, 20, 0), **more)  # type: ignore[arg-type]


def progress_to(done: int, *, total: int, status: QueueStatus = QueueStatus.WORKING) -> RunProgress:
    """The progress of a run at one sample a second."""
    progress = RunProgress(total)
    for at in range(0, done + 1, 15):
        progress.saw(float(at), seen(status, at))
    return progress


def test_the_first_line_is_the_answer() -> None:
    """State, counts, rate, end and its range."""
    progress, look = progress_to(1200, total=9000), seen(QueueStatus.WORKING, 1200)
    answer = "Working: 1,200 of 9,000 samples, 1.0/s, about 2 h 10 min left (2 h to 2 h 20 min)"
    assert progress.headline(look, 1200.0) == answer
    assert progress.to_markdown(look, 1200.0, NOON).splitlines()[0] == f"**{answer}**"


def test_the_page_holds_the_figures() -> None:
    """Share, end by the clock, queue, failures, and when it was looked at."""
    look = seen(
        QueueStatus.SLOW, 1200, failures={Cause.CRASH: 2, Cause.DEADLINE: 30}, note="ask 'datafactory'"
    )
    page = progress_to(1200, total=9000).to_markdown(look, 1200.0, NOON)
    for line in (
        "| samples | 1,200 of 9,000 (13.3 %) |",
        "left (2 h to 2 h 20 min), at Thu 14:10 UTC |",
        "| queue | 1,480 waiting, 20 in flight, 0 delayed |",
        "| failed attempts | 30 deadline, 2 crash |",
        "| polled at | 2026-01-15 12:00:00 UTC |",
        "\n\nask 'datafactory'\n\n",
        "![samples over time](data:image/svg+xml;base64,",
    ):
        assert line in page


@pytest.mark.parametrize("status", [QueueStatus.STALLED, QueueStatus.PAUSED])
def test_what_stands_still_has_no_end(status: QueueStatus) -> None:
    """A rate measured before is no promise while nothing goes on."""
    look, progress = seen(status, 1200), progress_to(1200, total=9000)
    assert progress.headline(look, 1200.0) == f"{status.capitalize()}: 1,200 of 9,000 samples"
    page = progress.to_markdown(look, 1200.0, NOON)
    assert f"| end | not while it is {status} |" in page
    assert " left " not in page


def test_a_run_that_is_over_says_so() -> None:
    """Its page does not go on working for ever."""
    look, progress = seen(QueueStatus.WORKING, 1200, over=True), progress_to(1200, total=9000)
    assert progress.headline(look, 1200.0) == "Ended: 1,200 of 9,000 samples"
    assert " left " not in progress.to_markdown(look, 1200.0, NOON)


def test_a_pause_does_not_spoil_the_forecast() -> None:
    """The time of looks that are paused does not count."""
    progress = progress_to(1200, total=9000)
    for at in range(1215, 9000, 15):
        progress.saw(float(at), seen(QueueStatus.PAUSED, 1200))
    progress.saw(9000.0, seen(QueueStatus.WORKING, 1215))
    assert "1.0/s" in progress.headline(seen(QueueStatus.WORKING, 1215), 9000.0)


@pytest.mark.parametrize(
    ("done", "total", "percent"), [(0, 5, 0.0), (10**6 - 1, 10**6, 99.9), (5, 5, 100.0), (0, 0, 100.0)]
)
def test_percent_is_100_only_when_all_is_done(done: int, total: int, percent: float) -> None:
    """One sample short of a million is 99.9."""
    progress = RunProgress(total)
    progress.saw(0.0, seen(QueueStatus.WORKING, done))
    assert progress.percent == percent


def test_failures_are_counted_by_cause_the_most_frequent_first() -> None:
    """Causes that did not occur are left out."""
    assert (
        describe_failures({Cause.CRASH: 1200, Cause.DISK: 0, Cause.MEMORY: 1300})
        == "1,300 memory, 1,200 crash"
    )
    assert describe_failures({}) == "none"


def test_the_page_of_a_long_run_stays_small() -> None:
    """A day of looks each ten seconds: some kilobytes, far below what Prefect keeps."""
    progress = RunProgress(3_000_000)
    for at in range(0, 86_400, 10):
        progress.saw(float(at), seen(QueueStatus.WORKING, 30 * at))
    assert len(progress.to_markdown(seen(QueueStatus.WORKING, 2_592_000), 86_400.0, NOON)) < 20_000


def test_what_it_cost_so_far_is_told() -> None:
    """In the line and on the page."""
    progress, look = progress_to(1200, total=9000), seen(QueueStatus.WORKING, 1200, cost="$1.23")
    assert progress.headline(look, 1200.0).endswith("left (2 h to 2 h 20 min), $1.23 so far")
    assert "| cost so far | $1.23 |" in progress.to_markdown(look, 1200.0, NOON)


def finished(at: float, batches: list[tuple[str, float, float]], samples: int) -> dict[str, int]:
    """Samples of each generator that are there at that time, of batches with (generator, begin, end)."""
    found: dict[str, int] = {}
    for name, begin, end in batches:
        share = min(1.0, max(0.0, (at - begin) / (end - begin)))
        found[name] = found.get(name, 0) + int(samples * share)
    return found


@pytest.mark.parametrize("order", ["light first", "heavy first", "mixed"])
def test_the_end_holds_for_generators_of_very_different_speed(order: str) -> None:
    """On two functions, one generator takes 0.02 s a sample and another 2 s: from a tenth on the real end is in the range."""
    each = {"light": 0.02, "heavy": 2.0}
    names = {
        "light first": ["light"] * 50 + ["heavy"] * 50,
        "heavy first": ["heavy"] * 50 + ["light"] * 50,
        "mixed": ["light", "heavy"] * 50,
    }[order]
    size, free, batches = 20, [0.0, 0.0], []
    for name in names:
        begin = min(free)
        free[free.index(begin)] = end = begin + 0.5 + size * each[name]
        batches.append((name, begin, end))
    total, end = 100 * size, max(free)
    work = 50 * size * sum(each.values())
    progress, held, looked = RunProgress(total), 0, 0
    at = 0.0
    while at < 0.97 * end:
        there = finished(at, batches, size)
        done = sum(each[name] * count for name, count in there.items()) / work
        progress.saw(at, seen(QueueStatus.WORKING, sum(there.values()), work=done))
        if at > 0.1 * end and (left := progress.remaining(at)):
            looked += 1
            held += left.soonest <= end - at <= left.latest
        at += 15
    assert looked > 40
    assert held / looked > 0.9
