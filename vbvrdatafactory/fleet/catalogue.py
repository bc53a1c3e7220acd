"""Lists generators: the folders under the generators path that contain ``examples/generate.py``."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from vbvrdatafactory.core.contract import ENTRY_POINT
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.generators_lock import REQUIREMENTS, GeneratorsLock
from vbvrdatafactory.core.names import is_safe_name
from vbvrdatafactory.fleet.states import State, state_of
from vbvrdatafactory.lockfile import read_lock
from vbvrdatafactory.planning.selection import matches

TEMPLATE = "template"

_BAD_NAME = (
    "its name may have letters, digits, '.', '_', '-' and inner spaces, 200 at most; rename the folder"
)


class Catalogue(NamedTuple):
    """The generators under a path.

    Args:
        usable: names of generators, sorted.
        unusable: folders that look like generators and can't be used, with the reason.
    """

    usable: list[str]
    unusable: dict[str, str]

    def left_out(self, patterns: Iterable[str]) -> dict[str, str]:
        """The unusable folders that match names, globs or ``all``."""
        wanted = tuple(patterns)
        return {name: why for name, why in self.unusable.items() if any(matches(p, name) for p in wanted)}


def read_catalogue(path: Path, *, on_this_machine: bool = False) -> Catalogue:
    """The generators under `path`, without hidden folders and the template for authors.

    Where there is a lock, those that it has no environment for are unusable. Where there is none, generators run with
    the worker's own interpreter.

    Args:
        path: the folder of the generators.
        on_this_machine: whether they will run on this machine, so that what is not installed here is unusable too.

    Raises:
        ConfigError: `path` is not a folder, or can't be read, or its lock can't.
    """
    found = folders(path)
    if lock := read_lock(path):
        found = {
            name: why or _no_environment(lock, name, path, on_this_machine) for name, why in found.items()
        }
    return Catalogue(
        [name for name, why in found.items() if why == ""], {name: why for name, why in found.items() if why}
    )


def folders_with_generators(path: Path) -> list[str]:
    """Names of all folders under `path` that hold a generator with a valid name, whatever environment it has.

    Raises:
        ConfigError: `path` is not a folder, or can't be read.
    """
    return [name for name, why in folders(path).items() if not why]


def no_contract(folder: Path) -> str:
    """Why a folder holds no generator; empty where it does."""
    if (folder / ENTRY_POINT).is_file():
        return ""
    deeper = sorted(path.parents[1].relative_to(folder) for path in folder.rglob(str(ENTRY_POINT)))
    where = f"; there is one in {str(deeper[0])!r}, deeper than the contract has it" if deeper else ""
    return f"it has no {ENTRY_POINT}{where}"


def others(path: Path) -> dict[str, str]:
    """Folders under `path` that look like a program's and hold no generator, with the reason."""
    found = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    return {
        child.name: why
        for child in found
        if child.name not in {TEMPLATE, REQUIREMENTS}
        and next(child.rglob("*.py"), None)
        and (why := no_contract(child))
    }


def _no_environment(lock: GeneratorsLock, name: str, path: Path, on_this_machine: bool) -> str:  # noqa: FBT001
    state, why = state_of(lock, name, path)
    is_usable = state is State.READY or (state is State.NOT_INSTALLED and not on_this_machine)
    return "" if is_usable else why


def folders(path: Path) -> dict[str, str]:
    """Folders under `path` that look like generators, with what is wrong with their names."""
    if not path.is_dir():
        raise ConfigError(f"GENERATORS_PATH is {str(path)!r}, which is not a folder")
    try:
        folders = sorted(child for child in path.iterdir() if not child.name.startswith("."))
    except OSError as error:
        raise ConfigError(
            f"GENERATORS_PATH is {str(path)!r}, which can't be read: {error.strerror}"
        ) from error
    found = {folder.name: _obstacle(folder) for folder in folders if folder.name != TEMPLATE}
    return {name: why for name, why in found.items() if why is not None}


def _obstacle(folder: Path) -> str | None:
    """Why a folder with an entry point can't be used; empty where it can, None for any other folder."""
    try:
        if not (folder / ENTRY_POINT).is_file():
            return None
    except OSError as error:
        return f"it can't be read: {error.strerror}"
    return "" if is_safe_name(folder.name) else _BAD_NAME


def list_generators(path: Path) -> list[str]:
    """Names of the generators under `path`, sorted. The authors' template is not one of them.

    Raises:
        ConfigError: `path` is not a folder, or can't be read.
    """
    return read_catalogue(path).usable
