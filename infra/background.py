"""A process that goes on when its starter ends: recorded in a file, told apart by a token, ended by its id."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from infra import processes
from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

EXIT_SECONDS = 30.0


@dataclass(frozen=True)
class Record:
    """What is kept of a process; `port` is 0 for one that listens on none, `what` the arguments it got.

    ``folder`` is where the record was written, by which a copy of the folder knows that the process is not its
    own; records of earlier versions have none.
    """

    pid: int
    token: str
    port: int = 0
    folder: str = ""
    what: tuple[str, ...] = ()


class Background:
    """One Python module run in the background; `name` names it in messages, its record and its log.

    Args:
        folder: holds the record and the log.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder.resolve()
        self.log = folder / f"{name}.log"
        self._file = folder / f"{name}.json"

    def running(self) -> Record | None:
        """Its record, if it runs."""
        try:
            kept = json.loads(self._file.read_text())
            record = Record(**{**kept, "what": tuple(kept.get("what", ()))})
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        if record.folder not in {"", str(self._folder)}:
            return None
        return record if processes.is_alive(record.pid, record.token) else None

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path, port: int = 0
    ) -> Record:
        """Start ``python -m ARGUMENTS`` there; it must not run yet."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        token = f"datafactory-{secrets.token_hex(8)}"
        with self.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                # Python keeps an -X option it does not know, and the process table shows it.
                [sys.executable, "-X", token, "-m", *arguments],
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process.returncode = 0  # it is meant to outlive this object
        record = Record(process.pid, token, port, str(self._folder), tuple(arguments))
        self._file.write_text(json.dumps(asdict(record)))
        processes.wait_listed(record.pid, token, seconds=1)
        return record

    def stop(self) -> bool:
        """End it and what is left of its process group; whether there was anything to end."""
        record = self.running()
        if record:
            with suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGTERM)
            if not processes.wait_gone(record.pid, record.token, EXIT_SECONDS):
                os.kill(record.pid, signal.SIGKILL)
                processes.wait_gone(record.pid, record.token, EXIT_SECONDS)
            processes.kill_group(record.pid)
        self._file.unlink(missing_ok=True)
        return record is not None

    def check(self) -> None:
        """Raises `DataFactoryError` with the end of its log if it does not run."""
        if not self.running():
            raise DataFactoryError(f"the {self.name} has ended; {str(self.log)!r} ends with: {self._last()}")

    def _last(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return " | ".join(line.strip() for line in lines[-5:])
