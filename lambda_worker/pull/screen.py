"""What `datafactory worker` shows on stderr: on a terminal a live table under the log, else a line a minute."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from lambda_worker.pull.errors import one_line
from lambda_worker.pull.progress import WorkerStatus
from vbvrdatafactory.core.escaping import TerminalFormatter, for_terminal

log = logging.getLogger(__name__)

_FRAME_SECONDS = 0.5
_LINE_SECONDS = 60.0


class Screen:
    """A live table on a terminal, else a line a minute."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )
        self._pause = _FRAME_SECONDS if self._live else _LINE_SECONDS
        self._next = time.monotonic() + self._pause
        if self._live:
            self._live.start()

    def show(self, view: WorkerStatus) -> None:
        """Show `view` where it is time to."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._pause
        if self._live:
            self._live.update(_frame(view, self._console.height), refresh=True)
        else:
            log.info(view)

    def close(self) -> None:
        """Clear the table away."""
        if self._live:
            self._live.stop()


def _frame(view: WorkerStatus, height: int) -> Group:
    table = Table("generator", "indices", "samples", "seconds", box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    fitting = max(1, height - 8)
    for batch in view.running[:fitting]:
        table.add_row(
            for_terminal(batch.generator), batch.indices, f"{batch.samples:,}", f"{batch.seconds:,.0f}"
        )
    if len(view.running) > fitting:
        table.add_row(f"… and {len(view.running) - fitting:,} more", "", "", "")
    return Group(table, *map(for_terminal, view.lines))


class _Lines(logging.Handler):
    """The log above the table: warnings and some loggers' lines, each on one line; everything where verbose."""

    def __init__(self, console: Console, shown: set[str], *, verbose: bool) -> None:
        super().__init__()
        self._console = console
        self._shown = shown
        self._verbose = verbose
        formatter = TerminalFormatter if verbose else _OneLine
        self.setFormatter(formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))

    def filter(self, record: logging.LogRecord) -> bool:
        return self._verbose or record.levelno >= logging.WARNING or record.name in self._shown

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(self.format(record), soft_wrap=True)


class _OneLine(TerminalFormatter):
    def format(self, record: logging.LogRecord) -> str:
        error, told = record.exc_info and record.exc_info[1], copy(record)
        told.exc_info = told.exc_text = None
        return super().format(told) + (f": {one_line(error)}" if error else "")


@contextmanager
def screen(source: logging.Logger, *shown_loggers: logging.Logger, verbose: bool) -> Iterator[Screen]:
    """Show the warnings of `source`, and every line of `shown_loggers`, until the block ends."""
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    lines = _Lines(console, {log.name, *(logger.name for logger in shown_loggers)}, verbose=verbose)
    source.addHandler(lines)
    source.propagate = False
    shown = Screen(console)
    try:
        yield shown
    finally:
        shown.close()
        source.removeHandler(lines)
