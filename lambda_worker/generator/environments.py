"""Finds the environment that a generator runs in, as the generators' lock has it.

Where there is no lock, every generator runs with the worker's own interpreter. The lock is read again when it changes:
a worker of `datafactory worker` lives longer than one lock.
"""

import sys
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from lambda_worker.failure import BatchFailed, RunsElsewhere
from lambda_worker.generator.fonts import fonts_digest
from lambda_worker.version import worker_version
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.generators_lock import LOCK, GeneratorsLock, LockedEnvironment, LockedGenerator
from vbvrdatafactory.core.records import MadeBy
from vbvrdatafactory.lockfile import is_installed, read_lock

_Stamp = tuple[int, int, int]


class Environment(NamedTuple):
    """What runs one generator.

    Args:
        interpreter: its Python.
        generator: what the lock has of the generator; None where there is no lock.
        environment: what the lock has of the environment; None where there is no lock.
    """

    interpreter: Path
    generator: LockedGenerator | None = None
    environment: LockedEnvironment | None = None

    def made_by(self, code: str | None) -> MadeBy:
        """What a receipt says of it.

        Args:
            code: the digest of the code that ran. Commit and tree are those of the lock only where it is the lock's.
        """
        is_as_locked = self.generator is not None and code == self.generator.code
        locked = self.generator if self.generator and is_as_locked else LockedGenerator()
        environment = self.environment
        return MadeBy(
            commit=locked.commit,
            tree=locked.tree,
            environment=environment.digest if environment else "",
            python=environment.python
            if environment
            else f"{sys.version_info.major}.{sys.version_info.minor}",
            libraries=environment.libraries if environment else {},
            fonts=fonts_digest(),
            worker=worker_version(),
        )


class Environments:
    """The environments of the generators in a folder."""

    def __init__(self, folder: Path) -> None:
        # A generator's process starts in another folder.
        self._folder = folder.absolute()
        self._reading = Lock()
        self._stamp: _Stamp | None = None
        self._lock: GeneratorsLock | None = None

    def of(self, generator: str) -> Environment:
        """The environment of a generator; a generator that is nowhere has the worker's own interpreter.

        Raises:
            RunsElsewhere: its code or its environment is not on this worker.
            BatchFailed: the lock has no environment for it, or no worker can run it.
            ConfigError: the lock can't be read.
        """
        lock = self._read()
        locked = lock.generators.get(generator) if lock else None
        is_here = (self._folder / generator).is_dir()
        if lock is None or not (locked or is_here):
            return Environment(Path(sys.executable))
        if locked is None or locked.problem:
            why = locked.problem if locked else "run 'datafactory generators lock' where the worker is made"
            raise BatchFailed(Cause.NO_ENVIRONMENT, f"the generators' lock has no environment for it: {why}")
        if not is_here:
            raise RunsElsewhere("its code is not here")
        return self._find(lock, generator, locked)

    def _find(self, lock: GeneratorsLock, generator: str, locked: LockedGenerator) -> Environment:
        environment, interpreter = (
            lock.environment_of(generator),
            lock.interpreter_of(generator, self._folder),
        )
        if environment is None or interpreter is None:
            raise RunsElsewhere(f"it needs {locked.needs or 'an environment'}, which is not here")
        if not is_installed(self._folder, environment):
            raise RunsElsewhere(f"its interpreter {str(interpreter)!r} is not here")
        return Environment(interpreter, locked, environment)

    def _read(self) -> GeneratorsLock | None:
        with self._reading:
            stamp = _stamp(self._folder / LOCK)
            if stamp != self._stamp:
                self._lock = read_lock(self._folder)
                self._stamp = stamp
            return self._lock


def _stamp(path: Path) -> _Stamp | None:
    """What changes when a file is replaced; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
