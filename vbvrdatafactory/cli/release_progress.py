"""Progress of a build: on a terminal in one line, else a line now and then."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.status import Status

from vbvrdatafactory.cli import output
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.driver.release import Steps
from vbvrdatafactory.release.pace import Pace

# Into a pipe or a file, a line as often.
_LINE_SECONDS = 30


class _Shown(Steps):
    def __init__(self, status: Status | None) -> None:
        self._status = status
        self._samples = self._looked_at = 0
        self._told = time.monotonic()
        self._pace = Pace(0, self._told)

    def listed(self, keys: int) -> None:
        self._tell(f"listing: {keys:,} keys")

    def reading(self, samples: int) -> None:
        self._samples = samples

    def read(self, samples: int) -> None:
        self._looked_at += samples
        self._tell(f"looking at puzzles: {self._looked_at:,} of {self._samples:,} samples")

    def building(self, size: int) -> None:
        self._pace = Pace(size, time.monotonic())

    def built(self, size: int) -> None:
        self._tell(f"building: {self._pace.line(size, time.monotonic())}")

    def _tell(self, line: str) -> None:
        now = time.monotonic()
        if self._status:
            self._status.update(for_terminal(line))
        elif now - self._told > _LINE_SECONDS:
            self._told = now
            output.note(line)


@contextmanager
def shown() -> Iterator[Steps]:
    """What is told how a build goes."""
    err = output.console(sys.stderr)
    if not err.is_terminal:
        yield _Shown(None)
        return
    with err.status("building") as status:
        yield _Shown(status)
