"""The progress of a run in Markdown."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from vbvrdatafactory.control.queue_watch import Counts, QueueStatus
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.escaping import for_markdown
from vbvrdatafactory.core.humanize import format_rate
from vbvrdatafactory.planning.forecast import Forecast, Remaining, describe_remaining
from vbvrdatafactory.report import charts
from vbvrdatafactory.report.charts import Curve

_COLOURS = {QueueStatus.SLOW: "#d99a1c", QueueStatus.STALLED: "#c8483f", QueueStatus.PAUSED: "#7a869a"}
_GOOD = "#2a9d5c"
# Work is counted in ten-thousandths of it.
_ALL_WORK = 10_000
# In these states no end can be forecast.
_STILL = {QueueStatus.STALLED, QueueStatus.PAUSED}


class RunSnapshot(NamedTuple):
    """What one poll of a run found.

    Args:
        status: how its queue stands.
        done: samples that are whole, of those the run is about.
        depth: the queue's counts.
        failures: failed attempts so far.
        note: what a person should know or do now, such as a diagnosis; empty if nothing.
        over: whether the run has ended; what it then lacks, it will not make.
        work: what is done of its work, 0 to 1, weighed by what samples take; None where that is not known.
        cost: what its batches cost so far; empty where that is not known.
    """

    status: QueueStatus
    done: int
    depth: Counts
    failures: Mapping[Cause, int] = {}
    note: str = ""
    over: bool = False
    work: float | None = None
    cost: str = ""

    @property
    def goes_on(self) -> bool:
        """Whether an end can be forecast."""
        return not self.over and self.status not in _STILL

    @property
    def word(self) -> str:
        """The status, or that the run is over."""
        return "ended" if self.over else str(self.status)


class RunProgress:
    """The polls of one run and the forecast from them. `at` and `now` are seconds of any monotonic clock."""

    def __init__(self, total: int) -> None:
        self._forecast = Forecast(total)
        # The samples of one generator may take a hundred times as long as those of another, and come last.
        self._work = Forecast(_ALL_WORK)
        self._curve = Curve()

    def saw(self, at: float, seen: RunSnapshot) -> None:
        """Record one poll."""
        paused = seen.status is QueueStatus.PAUSED
        self._forecast.saw(at, seen.done, paused=paused)
        if seen.work is not None:
            self._work.saw(at, int(_ALL_WORK * seen.work), paused=paused)
        self._curve.add(at, self._forecast.done)

    @property
    def percent(self) -> float:
        """The share that is done, 0 to 100; 100.0 only when all is done."""
        done, total = self._forecast.done, self._forecast.total
        return 100.0 if done >= total else min(99.9, round(100 * done / total, 1))

    def headline(self, seen: RunSnapshot, now: float) -> str:
        """Status and progress in one line, such as ``Working: 1,200 of 9,000 samples, 2.3/s, about 55 min left (…)``."""
        parts = [self._forecast.counts()]
        left, rate = self.remaining(now), self._forecast.rate(now)
        if seen.goes_on and left and rate and left.latest:
            parts += [format_rate(rate), describe_remaining(left)]
        if seen.cost:
            parts.append(f"{seen.cost} so far")
        return f"{seen.word.capitalize()}: {', '.join(parts)}"

    def remaining(self, now: float) -> Remaining | None:
        """When the rest will be done: by the work where that is known, else by the samples; None while there is no rate."""
        return self._work.remaining(now) or self._forecast.remaining(now)

    def to_markdown(self, seen: RunSnapshot, now: float, at: datetime) -> str:
        """Headline, chart and figures; `at` is the wall clock time of the poll."""
        left = self.remaining(now) if seen.goes_on else None
        colour = _COLOURS.get(seen.status, _GOOD)
        chart = charts.data_uri(charts.draw(self._curve, self._forecast.total, left, colour))
        rows = "\n".join(f"| {name} | {value} |" for name, value in self._rows(seen, now, at))
        note = f"{for_markdown(seen.note)}\n\n" if seen.note else ""
        return (
            f"**{self.headline(seen, now)}**\n\n{note}![samples over time]({chart})\n\n"
            f"| figure | now |\n|---|---|\n{rows}\n"
        )

    def _rows(self, seen: RunSnapshot, now: float, at: datetime) -> list[tuple[str, str]]:
        done, total, rate = self._forecast.done, self._forecast.total, self._forecast.rate(now)
        return [
            ("samples", f"{done:,} of {total:,} ({self.percent} %)"),
            ("rate", f"{format_rate(rate)} of late" if rate else "not known yet"),
            ("end", self._end(seen, now, at)),
            ("cost so far", seen.cost or "not known yet"),
            ("queue", f"{seen.depth}"),
            ("failed attempts", describe_failures(seen.failures)),
            ("polled at", f"{at:%Y-%m-%d %H:%M:%S %Z}"),
        ]

    def _end(self, seen: RunSnapshot, now: float, at: datetime) -> str:
        left = self.remaining(now)
        if not seen.goes_on:
            return "it has ended" if seen.over else f"not while it is {seen.status}"
        if left is None:
            return "not known yet"
        return f"{describe_remaining(left)}, at {at + timedelta(seconds=left.likely):%a %H:%M %Z}"


def describe_failures(failures: Mapping[Cause, int]) -> str:
    """Failed attempts by cause, the most frequent first: ``12 crash, 3 deadline``."""
    ordered = sorted(failures.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {cause}" for cause, count in ordered if count) or "none"
