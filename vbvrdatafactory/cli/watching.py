"""Polls the queues, and shows their depth, the rate at which the task queue shrinks, and when it will be empty."""

import time
from datetime import datetime

from rich.console import Group
from rich.live import Live

from vbvrdatafactory.cli import output, queues
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.control.queue_forecast import QueueForecast
from vbvrdatafactory.control.queue_watch import QueueStatus, QueueWatch
from vbvrdatafactory.core.humanize import format_count, format_rate
from vbvrdatafactory.planning.forecast import describe_remaining
from vbvrdatafactory.sqs.depth import Depth

_COLUMNS = ("queue", "waiting", "in flight", "delayed")
# SQS counts are approximate, and Lambda's pollers take a moment to begin.
_EMPTY_POLLS = 3
_STALLED_SECONDS, _STALLED_POLLS = 15.0, 3


class Watching:
    """One run of `datafactory monitor`.

    Args:
        app: the command's clients and settings.
        interval: seconds between two polls.
    """

    def __init__(self, app: App, interval: float) -> None:
        self._app = app
        self._interval = interval
        self._has_dead = queues.has_dead_letter_queue(app)
        self._watch = QueueWatch(
            empty_polls=_EMPTY_POLLS,
            stall_seconds=max(_STALLED_SECONDS, _STALLED_POLLS * interval),
            started=time.monotonic(),
        )
        self._forecast = QueueForecast()
        self._polls = 0
        self._poll()

    def once(self) -> None:
        """Print the first poll."""
        output.console().print(self._frame())

    def run(self) -> None:
        """Poll until interrupted: live on a terminal, a line for each poll in a pipe."""
        console = output.console()
        if not console.is_terminal:
            self._print_lines()
        with Live(self._frame(), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(self._interval)
                self._poll()
                live.update(self._frame(), refresh=True)

    def _poll(self) -> None:
        self._tasks = queues.task_queue(self._app)
        self._dead = queues.dead_letter_queue(self._app) if self._has_dead else Depth(0, 0, 0)
        self._now = time.monotonic()
        self._status = self._watch.saw(self._tasks, 0, self._now)
        self._forecast.saw(self._now, self._tasks.total)
        self._polls += 1

    def _print_lines(self) -> None:
        while True:
            now = datetime.now().astimezone().strftime("%H:%M:%S")
            dead = f"{self._dead.total:,} dead" if self._has_dead else "dead letters not counted"
            output.say(f"{now}  {self._tasks}, {dead}; {self._verdict()}")
            time.sleep(self._interval)
            self._poll()

    def _frame(self) -> Group:
        rows = [("tasks", *(f"{count:,}" for count in self._tasks))]
        if self._has_dead:
            rows.append(("dead letters", *(f"{count:,}" for count in self._dead)))
        return Group(output.table(_COLUMNS, rows), self._verdict(), *self._hints())

    def _verdict(self) -> str:
        if not self._tasks.total:
            sure = "drained" if self._status is QueueStatus.DRAINED else "empty"
            return f"{sure}; 'datafactory report' says whether every sample is there"
        if self._status is QueueStatus.STALLED:
            return "stalled? no message is in flight; is the worker's event source mapping enabled?"
        return self._pace()

    def _pace(self) -> str:
        rate, left = self._forecast.rate(self._now), self._forecast.remaining(self._now)
        if rate is not None and left is not None:
            return f"{format_rate(rate, 'messages')}, {describe_remaining(left)}"
        if self._polls > 1:
            return "not getting fewer so far"
        return f"{format_count(self._tasks.total, 'message')} to go"

    def _hints(self) -> list[str]:
        if not self._has_dead:
            return ["dead letters are not counted: SQS_DLQ_URL is not set"]
        return ["'datafactory dlq list' says why messages failed"] if self._dead.total else []
