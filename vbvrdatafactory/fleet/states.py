"""The state of one generator: whether it can run, and what to do where it can't."""

from enum import StrEnum
from pathlib import Path

from vbvrdatafactory.core.generators_lock import GeneratorsLock, LockedEnvironment
from vbvrdatafactory.lockfile import is_installed

_NOT_LOCKED = "it has no environment yet; run 'datafactory generators lock'"


class State(StrEnum):
    """What `datafactory generators list` says of a generator."""

    READY = "ready"
    NOT_INSTALLED = "not installed"
    NOT_LOCKED = "needs an environment"
    NEEDS = "needs"
    BROKEN = "broken"
    ABSENT = "not fetched"


def state_of(lock: GeneratorsLock, name: str, folder: Path) -> tuple[State, str]:
    """The state of a generator, and why it is not ready, with what to do.

    Args:
        lock: the lock.
        name: the generator's name.
        folder: the folder of the generators.
    """
    locked = lock.generators.get(name)
    if locked is None:
        return State.NOT_LOCKED, _NOT_LOCKED
    if not (folder / name).is_dir():
        return State.ABSENT, "it is in the lock and not here; run 'datafactory generators sync'"
    if locked.problem:
        return State.BROKEN, locked.problem
    environment = lock.environment_of(name)
    if environment:
        return _of_environment(environment, folder)
    if locked.needs:
        return State.NEEDS, (
            f"it needs {locked.needs}, which no environment here can have; name an interpreter that has it "
            "in overrides.toml, then run 'datafactory generators lock'"
        )
    return State.NOT_LOCKED, _NOT_LOCKED


def _of_environment(environment: LockedEnvironment, folder: Path) -> tuple[State, str]:
    if is_installed(folder, environment):
        return State.READY, ""
    if environment.interpreter:
        return State.NOT_INSTALLED, f"its interpreter {environment.interpreter!r} is not on this machine"
    return State.NOT_INSTALLED, "its environment is not installed; run 'datafactory generators install'"
