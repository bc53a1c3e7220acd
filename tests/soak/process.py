"""The flow as a user starts it, in a process group of its own, so that it can be killed with its children."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# Longer than any single life of these tests on a busy machine.
MOST_SECONDS = 3600.0


class FlowProcess:
    """One ``python -m flows``.

    Args:
        arguments: its options.
        environment: all of its environment.
        log: where it writes.
    """

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        self.started = time.monotonic()
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        """SIGKILL for the process and all its children, and for nobody else."""
        # Not reaped yet, so the number is still its own.
        if not self.ended:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def wait(self) -> int:
        """Its exit code, when it has ended by itself."""
        return self._process.wait(MOST_SECONDS)

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def result(self) -> dict[str, int]:
        """The figures of its RESULT line."""
        last = self.output.strip().splitlines()[-1]
        assert last.startswith("RESULT "), self.output[-3000:]
        return {name: int(value) for name, value in (part.split("=") for part in last.split()[1:])}
