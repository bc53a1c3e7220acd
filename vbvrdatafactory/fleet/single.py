"""Makes an environment for one generator that lies anywhere, as the lock of a whole folder would."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from vbvrdatafactory.core.checks import Finding, Rule
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.generators_lock import INSTALLED, LockedGenerator
from vbvrdatafactory.core.names import is_safe_name
from vbvrdatafactory.fleet.locking import Say, TryImports, lock_generators


def environment_for(folder: Path, try_imports: TryImports, say: Say) -> tuple[Path | None, LockedGenerator]:
    """The interpreter for the generator in `folder`, None where there is none; and what its lock would have of it.

    Environments are kept in the user's cache, so the next check of the same requirements is quick.

    Raises:
        DataFactoryError: its name can't be a generator's, or uv failed.
    """
    if not is_safe_name(folder.name):
        raise DataFactoryError(
            f"{folder.name!r} can't be a generator's name: letters, digits, '.', '_', '-', 200 at most; rename the folder"
        )
    kept = _cache() / INSTALLED
    kept.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="datafactory-check-") as place:
        fleet = Path(place)
        (fleet / folder.name).symlink_to(folder.resolve())
        (fleet / INSTALLED).symlink_to(kept)
        lock = lock_generators(fleet, try_imports, say).lock
        locked = lock.generators.get(folder.name, LockedGenerator())
        interpreter = kept / locked.environment / "bin" / "python" if locked.environment else None
        return interpreter, locked


def findings_of(locked: LockedGenerator) -> list[Finding]:
    """What the lock has to say to a generator's author."""
    found = []
    if locked.problem:
        found.append(Finding(rule=Rule.REQUIREMENTS, severity="error", text=locked.problem))
    if locked.needs:
        text = f"it needs {locked.needs}, which AWS Lambda does not have"
        advice = "it runs where 'datafactory worker' finds an interpreter that has it: see overrides.toml"
        found.append(Finding(rule=Rule.REQUIREMENTS, severity="warning", text=text, advice=advice))
    for requirement, reason in locked.added.items():
        advice = f"add {requirement} to requirements.txt; the factory installs it meanwhile"
        found.append(Finding(rule=Rule.REQUIREMENTS, severity="warning", text=reason, advice=advice))
    return found


def _cache() -> Path:
    with suppress(RuntimeError):
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vbvrdatafactory"
    raise DataFactoryError("there is no home folder to keep environments in; set XDG_CACHE_HOME")
