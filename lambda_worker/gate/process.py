"""A process that measures samples, in a sandbox with the limits of a generator, while others are still being made."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lambda_worker.failure import BatchFailed, Cancelled
from lambda_worker.gate.judge import Measure
from lambda_worker.generator.limits import Limits
from lambda_worker.generator.run import GeneratorRun, RunRequest, run_script
from lambda_worker.generator.sandbox import Sandbox, sandbox
from vbvrdatafactory.core.causes import Cause

_SCRIPT = Path(__file__).with_name("measure.py")
_POLL_SECONDS = 0.01


@dataclass
class Measuring:
    """A running process, and what it has measured.

    Args:
        box: its sandbox.
        run: how it ended; None while it runs.
    """

    box: Sandbox
    run: GeneratorRun | None = None
    _asked: int = 0
    _read: int = 0
    _partial: str = ""
    _answers: dict[int, dict[str, Any]] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def inbox(self) -> Path:
        return self.box.root / "home" / "inbox"

    @property
    def _out(self) -> Path:
        return self.box.output / "measured"

    def ask(self, folder: Path, *, compares: bool = False, task: str = "measure") -> int:
        """Ask for one sample; returns the number of the answer."""
        self._asked += 1
        with self.inbox.open("a") as file:
            print(json.dumps([self._asked, task, str(folder), compares]), file=file)
        return self._asked

    def answers(self) -> dict[int, dict[str, Any]]:
        """What has been answered so far, by number."""
        with suppress(FileNotFoundError), self._out.open("rb") as file:
            file.seek(self._read)
            new = file.read()
            self._read += len(new)
            *lines, self._partial = (self._partial + new.decode(errors="replace")).split("\n")
            for line in lines:
                with suppress(ValueError, TypeError, AttributeError):
                    answer = json.loads(line)
                    self._answers[int(answer.get("number", 0))] = answer
        return self._answers

    def wait_for(self, number: int) -> dict[str, Any] | None:
        """The answer of that number; None where the process ended without one."""
        while number not in self.answers():
            if self._ended.wait(_POLL_SECONDS):
                return self.answers().get(number)
        return self._answers[number]

    def close(self) -> None:
        """Let it end."""
        with suppress(OSError), self.inbox.open("a") as file:
            print("null", file=file)

    def supervise(self, job: RunRequest, limits: Limits) -> None:
        """Run it to its end."""
        try:
            self.run = run_script(self.box, _SCRIPT, [str(self.inbox), str(self._out)], job, limits)
        except Cancelled:
            self.run = None
        finally:
            self._ended.set()


@contextmanager
def measuring(limits: Limits, seconds: float, cancelled: threading.Event) -> Iterator[Measuring]:
    """Start a process that measures; it has ended when the block has.

    Args:
        limits: what it may use.
        seconds: how long it may take.
        cancelled: when set, it ends at once.
    """
    with sandbox() as box:
        process = Measuring(box)
        process.inbox.touch()
        stop = threading.Event()
        home = box.root / "home"
        job = RunRequest(
            home, 1, 0, 0, seconds, _Either(cancelled, stop), Path(sys.executable), stream=False, is_ours=True
        )
        thread = threading.Thread(target=process.supervise, args=(job, limits), name="gate")
        thread.start()
        try:
            yield process
            process.close()
        except BaseException:
            stop.set()
            raise
        finally:
            thread.join()


class _Either(threading.Event):
    """Is set as soon as one of two is."""

    def __init__(self, *events: threading.Event) -> None:
        super().__init__()
        self._events = events

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._events)


def to_measure(answer: dict[str, Any]) -> Measure:
    """What was measured, as far as it is that: the process has read a stranger's bytes.

    Raises:
        BatchFailed: it is no measure.
    """
    try:
        return Measure.model_validate(answer)
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise BatchFailed(
            Cause.WRONG_GROUND_TRUTH, f"what was measured of a sample makes no sense: {what}"
        ) from error
