"""Why a batch failed: the cause, found in the exit code and the stderr of its generator."""

import re
import signal
from dataclasses import dataclass, field

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import Picture
from vbvrdatafactory.core.usage import Usage

_EXCEPTION = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt|Warning)\b.*$", re.MULTILINE)
# More of one line says no more.
_LINE = 500
_BY_TEXT = (
    (re.compile(r"\b(?:ModuleNotFoundError|ImportError)\b"), Cause.MISSING_DEPENDENCY),
    (re.compile(r"\bMemoryError\b|Cannot allocate memory"), Cause.MEMORY),
    (re.compile(r"No space left on device|Disk quota exceeded|File too large"), Cause.DISK),
)


@dataclass(eq=False)
class BatchFailed(Exception):  # noqa: N818 - it names what happened to the batch
    """A batch failed; `stored` are the ranges of samples that were whole, and uploaded all the same."""

    cause: Cause
    detail: str
    exit_code: int | None = None
    stderr_tail: str = ""
    stored: list[IndexRange] = field(default_factory=list)
    pictures: tuple[Picture, ...] = ()
    usage: Usage | None = None

    def __str__(self) -> str:
        return f"{self.cause}: {self.detail}"


class Cancelled(Exception):  # noqa: N818 - nothing failed
    """The batch was cancelled; another worker makes it."""


class RunsElsewhere(Exception):  # noqa: N818 - nothing failed
    """The generator's code or environment is not on this worker; another may have it."""


def from_exit(exit_code: int, stderr_tail: str) -> BatchFailed:
    """Why a generator that ended with `exit_code` did."""
    last = signature(stderr_tail)
    cause = next((cause for pattern, cause in _BY_TEXT if pattern.search(last)), Cause.CRASH)
    if exit_code == -signal.SIGXFSZ:
        cause = Cause.DISK
    if exit_code == -signal.SIGKILL:
        # The worker did not send it: a deadline has a cause of its own. The kernel's OOM killer does.
        cause = Cause.MEMORY
    ending = f"exit code {exit_code}" if exit_code >= 0 else f"signal {signal.Signals(-exit_code).name}"
    return BatchFailed(
        cause, f"the generator ended with {ending}: {last or 'no stderr'}", exit_code, stderr_tail
    )


def signature(stderr_tail: str) -> str:
    """The last line that names an exception, else the last line that says anything."""
    named = _EXCEPTION.findall(stderr_tail)
    lines = named or stderr_tail.strip().splitlines()
    return lines[-1].strip()[:_LINE] if lines else ""
