"""The folder of the embedded AWS: what lies where, the lock on it, and what it remembers between starts."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCK_SECONDS = 120.0


@dataclass(frozen=True)
class ServerRecord:
    """The last server started: its process, its port, and the token its command line carries.

    ``temporary`` says that whoever leaves last stops it. ``folder`` is the state folder it was started for, by
    which a copy of the folder knows that the server is not its own; records of earlier versions have none.
    """

    pid: int
    port: int
    token: str
    temporary: bool = False
    folder: str = ""


class StateFolder:
    """Everything the embedded AWS writes, below one folder of the checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.services = self.root / "services"
        self.objects = self.root / "s3"
        self.scratch = self.root / "tmp"
        self.log = self.root / "ministack.log"
        self.previous_log = self.root / "ministack.log.1"
        self.env_file = self.root / "local.env"
        self._record = self.root / "server.json"
        self._lock = self.root / "lock"
        self._users = self.root / "users"

    def create(self) -> None:
        for folder in (self.services, self.objects, self.scratch):
            folder.mkdir(parents=True, exist_ok=True)

    def came_from(self, record: ServerRecord) -> Path | None:
        """The folder this one was when the record was written, if it was copied or moved since."""
        return Path(record.folder) if record.folder not in {"", str(self.root)} else None

    def bucket_folder(self, queue_url: str, bucket: str) -> Path:
        """Where the emulator keeps a bucket's objects: by the account, which the queue's address names."""
        return self.objects / queue_url.split("/")[-2] / bucket

    def delete(self) -> None:
        """Delete what this class names and nothing else; the locks stay, as others may wait for them."""
        for folder in (self.services, self.objects, self.scratch):
            if folder.exists():
                shutil.rmtree(folder)
        for file in (self.log, self.previous_log, self.env_file, self._record):
            file.unlink(missing_ok=True)

    def clear_scratch(self) -> None:
        """Generators leave up to a megabyte a sample behind."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def read_record(self) -> ServerRecord | None:
        try:
            return ServerRecord(**json.loads(self._record.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write_record(self, record: ServerRecord) -> None:
        _write_whole(self._record, json.dumps(asdict(record)))

    def write_env_file(self, variables: Mapping[str, str]) -> None:
        lines = [f"{name}={_quoted(value)}\n" for name, value in variables.items()]
        _write_whole(self.env_file, "".join(lines))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone: starts, updates and stops happen one after another."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as file:
            deadline = time.monotonic() + LOCK_SECONDS
            while not _try_lock(file.fileno(), fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise DataFactoryError(
                        f"another command has been starting or stopping what runs in "
                        f"{str(self.root)!r} for {LOCK_SECONDS:.0f} s; wait for it or stop it"
                    )
                time.sleep(0.05)
            yield

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Count among the users of a running server, even if this process is killed."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self._users.open("w") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH)
            yield

    def has_users(self) -> bool:
        with self._users.open("w") as file:
            return not _try_lock(file.fileno(), fcntl.LOCK_EX)


def _write_whole(file: Path, text: str) -> None:
    partial = file.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(file)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _quoted(value: str) -> str:
    """A value as a `.env` file spells it; only unusual ones in quotes, for tools that read quotes literally."""
    if re.fullmatch(r"[\w@%+=:,./-]*", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
