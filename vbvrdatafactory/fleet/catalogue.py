"""Lists generators: the folders under the generators path that contain ``examples/generate.py``."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from vbvrdatafactory.core.contract import ENTRY_POINT
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.models import is_safe_name
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


def read_catalogue(path: Path) -> Catalogue:
    """The generators under `path`, without hidden folders and the template for authors.

    Raises:
        ConfigError: `path` is not a folder, or can't be read.
    """
    if not path.is_dir():
        raise ConfigError(f"GENERATORS_PATH is {str(path)!r}, which is not a folder")
    try:
        folders = sorted(child for child in path.iterdir() if not child.name.startswith("."))
    except OSError as error:
        raise ConfigError(
            f"GENERATORS_PATH is {str(path)!r}, which can't be read: {error.strerror}"
        ) from error
    found = {folder.name: _obstacle(folder) for folder in folders if folder.name != TEMPLATE}
    return Catalogue(
        [name for name, why in found.items() if why == ""], {name: why for name, why in found.items() if why}
    )


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
