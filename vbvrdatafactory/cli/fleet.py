"""What the commands of `datafactory generators` share: they fetch, lock and install, and say how it went."""

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import click
from rich.filesize import decimal

from vbvrdatafactory.cli import output
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.core.checks import CheckReport
from vbvrdatafactory.core.contract import ENTRY_POINT
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.generators_lock import GeneratorsLock
from vbvrdatafactory.core.humanize import format_count, format_duration
from vbvrdatafactory.core.names import is_safe_name
from vbvrdatafactory.fleet.catalogue import folders_with_generators
from vbvrdatafactory.fleet.disk import measure, prune_environments
from vbvrdatafactory.fleet.environments import install as install_environments
from vbvrdatafactory.fleet.github import API, GitHub
from vbvrdatafactory.fleet.locking import lock_generators
from vbvrdatafactory.fleet.single import environment_for, findings_of
from vbvrdatafactory.fleet.sources import Source
from vbvrdatafactory.fleet.why import lock_changes
from vbvrdatafactory.lockfile import read_lock


def make_folder(app: App) -> Path:
    """The folder of the generators, made where it is missing."""
    folder = app.config.generators_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def list_organisations(names: Iterable[str]) -> list[Source]:
    """The repositories of GitHub organisations; GITHUB_API_URL names another API than GitHub's own."""
    github = GitHub(
        os.environ.get("GITHUB_TOKEN", ""), api=os.environ.get("GITHUB_API_URL") or API, say=output.note
    )
    found = [source for name in names for source in github.repositories(name)]
    output.note(f"{format_count(len(found), 'repository', 'repositories')} of {', '.join(names)}")
    return found


def all_locked(folder: Path) -> bool:
    """Whether every generator in the folder has been locked."""
    found = read_lock(folder)
    locked = found.generators if found else {}
    return all(
        name in locked and (locked[name].environment or locked[name].needs or locked[name].problem)
        for name in folders_with_generators(folder)
    )


def lock(folder: Path) -> None:
    """Lock, and say what that changed."""
    # The sandbox is the worker's; only who runs this command needs it.
    from lambda_worker.generator.try_imports import try_imports
    from lambda_worker.processor import prepare_host

    prepare_host()
    began = time.monotonic()
    done = lock_generators(folder, try_imports, output.note)
    for line in lock_changes(done.before, done.lock):
        output.say(line)
    here = [one for one in done.lock.generators.values() if one.environment]
    fewest = "" if done.is_fewest else ", perhaps not the fewest"
    output.say(
        f"{format_count(len(here), 'generator')} in {format_count(len(done.lock.environments), 'environment')}{fewest}, "
        f"in {format_duration(time.monotonic() - began)}."
    )
    _say_problems(done.lock)


def _say_problems(found: GeneratorsLock) -> None:
    for name, locked in sorted(found.generators.items()):
        if locked.problem:
            output.note(f"{name} is broken: {locked.problem}")
        elif locked.needs and not locked.environment:
            output.note(f"{name} needs {locked.needs}; overrides.toml may name an interpreter that has it")


def install(folder: Path, names: Iterable[str], *, prune: bool) -> None:
    """Install the environments of generators, and say what they take."""
    found = read_lock(folder)
    if found is None:
        raise DataFactoryError(f"{str(folder)!r} has no lock yet; run 'datafactory generators lock'")
    wanted = _environments(found, folder, names)
    with output.progress("installing", len(wanted)) as advance:
        failed = install_environments(folder, found, wanted, advance)
    for name, why in failed.items():
        output.note(f"environment {name} could not be installed: {why}")
    if prune:
        removed = prune_environments(folder, found)
        output.say(f"Removed {format_count(len(removed), 'environment')} that the lock does not have.")
    sizes = measure(folder, [name for name in wanted if name not in failed])
    saved = (
        f", {decimal(sizes.apart - sizes.together)} saved by sharing" if sizes.apart > sizes.together else ""
    )
    count = format_count(len(wanted) - len(failed), "environment")
    output.say(f"{count} installed: {decimal(sizes.together)} on disk{saved}.")
    if failed:
        raise click.exceptions.Exit(1)


def _environments(found: GeneratorsLock, folder: Path, names: Iterable[str]) -> list[str]:
    """The environments of these generators; of all that are here where none is named."""
    chosen = list(names) or [name for name in folders_with_generators(folder) if name in found.generators]
    for name in chosen:
        if name not in found.generators:
            raise DataFactoryError(f"{name!r} is not in the lock; run 'datafactory generators lock'")
    wanted = (found.generators[name].environment for name in chosen)
    made = (name for name in wanted if name and not found.environments[name].interpreter)
    return list(dict.fromkeys(made))


def check(folder: Path, target: str, *, samples: int, seconds: float) -> CheckReport:
    """Check a generator: by its name in `folder`, in the environment that the lock has for it, or by its path.

    Raises:
        DataFactoryError: there is no such generator, or no environment for it.
    """
    from lambda_worker.check.generator import check_generator
    from lambda_worker.generator.try_imports import try_imports
    from lambda_worker.processor import prepare_host

    prepare_host()
    place = folder / target if is_safe_name(target) and (folder / target).is_dir() else Path(target)
    if not place.is_dir():
        raise DataFactoryError(
            f"there is no generator {target!r} under {str(folder)!r}, and no folder of that path"
        )
    place = place.resolve()
    found = read_lock(place.parent)
    interpreter = found.interpreter_of(place.name, place.parent) if found else None
    locked = found.generators[place.name] if found and interpreter else None
    if locked is None or interpreter is None or not interpreter.exists():
        interpreter, locked = environment_for(place, try_imports, output.note)
    about = findings_of(locked)
    if interpreter is None and (place / ENTRY_POINT).is_file():
        return CheckReport(generator=place.name, findings=tuple(about))
    report = check_generator(place, interpreter or Path(sys.executable), samples=samples, seconds=seconds)
    return report.model_copy(update={"findings": (*about, *report.findings)})
