"""Looks at the queues again and again, and what they say of pace and end."""

import math
import time
from datetime import datetime

from rich.console import Group
from rich.live import Live

from vbvrdatafactory.cli import output, queues
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.cli.pace import Left, Pace
from vbvrdatafactory.control.queue_watch import DrainDetector
from vbvrdatafactory.core.humanize import format_duration
from vbvrdatafactory.sqs.depth import Depth

_COLUMNS = ("queue", "waiting", "in flight", "delayed")


class Watching:
    """The looks of one run of `datafactory monitor`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._has_dead = queues.has_dead_letter_queue(app)
        self._pace = Pace()
        self._drained = DrainDetector()
        self._is_drained = False
        self._tasks = Depth(0, 0, 0)
        self._dead = Depth(0, 0, 0)

    def once(self) -> None:
        """Look and print."""
        self._look()
        output.console().print(self._frame())

    def run(self, interval: float) -> None:
        """Look until interrupted: live on a terminal, a line for each look in a pipe."""
        console = output.console()
        self._look()
        if not console.is_terminal:
            self._print_lines(interval)
        with Live(self._frame(), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(interval)
                self._look()
                live.update(self._frame(), refresh=True)

    def _look(self) -> None:
        self._tasks = queues.task_queue(self._app)
        if self._has_dead:
            self._dead = queues.dead_letter_queue(self._app)
        self._pace.add(time.monotonic(), self._tasks)
        self._is_drained = self._drained.after(self._tasks)

    def _print_lines(self, interval: float) -> None:
        while True:
            now = datetime.now().astimezone().strftime("%H:%M:%S")
            dead = f"{self._dead.total:,} dead" if self._has_dead else "dead letters not looked at"
            output.say(f"{now}  {self._tasks}, {dead}; {self._verdict()}")
            time.sleep(interval)
            self._look()

    def _frame(self) -> Group:
        rows = [("tasks", *(f"{count:,}" for count in self._tasks))]
        if self._has_dead:
            rows.append(("dead letters", *(f"{count:,}" for count in self._dead)))
        return Group(output.table(_COLUMNS, rows), self._verdict(), *self._hints())

    def _verdict(self) -> str:
        if not self._tasks.total:
            sure = "drained" if self._is_drained else "empty"
            return f"{sure}; 'datafactory report' says whether every sample is there"
        if self._pace.stalled:
            return "stalled? nothing changes and nothing is in flight; is the worker's event source mapping enabled?"
        if (rate := self._pace.rate) is None:
            return f"{output.plural(self._tasks.total, 'message')} to go"
        return f"{_speed(rate)}; {_when(self._pace.left)}" if rate > 0 else "not getting fewer so far"

    def _hints(self) -> list[str]:
        if not self._has_dead:
            return ["dead letters were not looked at: SQS_DLQ_URL is not set"]
        return ["'datafactory dlq list' says why letters are dead"] if self._dead.total else []


def _speed(rate: float) -> str:
    return f"{rate:.1f} messages/s" if rate >= 1 else f"{60 * rate:.1f} messages/min"


def _when(left: Left | None) -> str:
    if left is None:
        return "no end in sight"
    span = "at the least" if math.isinf(left.most) else f"to {format_duration(left.most)}"
    return f"empty in about {format_duration(left.seconds)} ({format_duration(left.least)} {span})"
