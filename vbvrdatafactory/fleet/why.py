"""Says why a generator runs in its environment, and what one lock changed of another. Text for a person, a line each."""

from collections.abc import Iterator
from pathlib import Path

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.generators_lock import GeneratorsLock, LockedEnvironment, LockedGenerator
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.fleet.known import packages
from vbvrdatafactory.fleet.requirements import read_asked
from vbvrdatafactory.fleet.states import state_of

_SHOWN = 5


def explain_environment(lock: GeneratorsLock, name: str, folder: Path) -> Iterator[str]:
    """Which environment a generator runs in, because of whom, and what was changed.

    Raises:
        DataFactoryError: the lock has no such generator.
    """
    locked = lock.generators.get(name)
    if locked is None:
        raise DataFactoryError(f"the lock has no generator {name!r}; it has {len(lock.generators):,}")
    state, why = state_of(lock, name, folder)
    yield f"{name}: {state}" + (f", {why}" if why else "")
    if locked.url:
        yield f"  fetched from {locked.url} at {locked.commit}"
    asked = read_asked(folder / name).requirements
    yield f"  asks for {', '.join(asked) or 'nothing'}"
    for change in locked.changes:
        yield f"  changed: {change}"
    for requirement, reason in locked.added.items():
        yield f"  added {requirement}: {reason}"
    environment = lock.environment_of(name)
    if environment:
        yield from _explain(lock, name, locked, environment)


def _explain(
    lock: GeneratorsLock, name: str, locked: LockedGenerator, environment: LockedEnvironment
) -> Iterator[str]:
    place = environment.interpreter or locked.environment
    yield f"  runs in {place}: Python {environment.python}, {_versions(environment)}"
    others = [n for n, one in lock.generators.items() if one.environment == locked.environment and n != name]
    yield f"  with {format_count(len(others), 'other generator')}" + (f": {_some(others)}" if others else "")
    for other, why in environment.apart.items():
        them = [n for n, one in lock.generators.items() if one.environment == other]
        yield f"  not with {_some(them)} in {other}: {why}"
    system, unknown = packages(environment.system, environment.fonts)
    if environment.system:
        yield f"  loads of the system: {', '.join(environment.system)}"
    if environment.fonts:
        yield f"  its generators name fonts: {_some(list(environment.fonts))}"
    if system:
        debian, amazon = (" ".join(names) for names in zip(*system, strict=True))
        yield f"  which come with: apt-get install {debian}; dnf install {amazon}"
    if unknown:
        yield f"  no package is known here for {', '.join(unknown)}"


def lock_changes(before: GeneratorsLock, now: GeneratorsLock) -> Iterator[str]:
    """What the lock `now` has otherwise than `before`: generators by name, and versions of their environments."""
    for name, locked in sorted(now.generators.items()):
        was = before.generators.get(name)
        for requirement, reason in locked.added.items():
            if not was or requirement not in was.added:
                yield f"{name}: {requirement} is added: {reason}"
        if was and was.environment and locked.environment and was.environment != locked.environment:
            moved = _moved(before.environments.get(was.environment), now.environments[locked.environment])
            yield f"{name}: environment {was.environment} → {locked.environment}{moved}"


def _moved(before: LockedEnvironment | None, now: LockedEnvironment) -> str:
    if before is None:
        return ""
    names = sorted(before.libraries.keys() | now.libraries.keys())
    changed = [
        f"{name} {before.libraries.get(name, 'none')} → {now.libraries.get(name, 'none')}"
        for name in names
        if before.libraries.get(name) != now.libraries.get(name)
    ]
    return f" ({_some(changed)})" if changed else ""


def _versions(environment: LockedEnvironment) -> str:
    return ", ".join(f"{name} {version}" for name, version in environment.libraries.items()) or "no packages"


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
