"""A process that runs in the background, recorded in a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from infra import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


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
        spawned = processes.spawn(arguments, environment, cwd=cwd, log=self.log)
        record = Record(spawned.pid, spawned.token, port, str(self._folder), tuple(arguments))
        self._file.write_text(json.dumps(asdict(record)))
        return record

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Wait until it is ready; raises as `processes.wait_until_ready` does."""
        processes.wait_until_ready(
            f"the {self.name}", is_ready, lambda: self.running() is not None, seconds=seconds, log=self.log
        )

    def stop(self) -> bool:
        """End it and what is left of its process group; whether there was anything to end."""
        record = self.running()
        if record:
            processes.stop(record.pid, record.token)
        self._file.unlink(missing_ok=True)
        return record is not None
