"""Which generators there are: the folders under the generators path that hold ``examples/generate.py``."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from vbvrdatafactory.core.errors import ConfigError, SpecError
from vbvrdatafactory.core.models import is_safe_name

ENTRY_POINT = Path("examples") / "generate.py"
TEMPLATE = "template"
# What stands for every generator wherever names are asked for.
ALL = "all"
# Public names begin with a letter of their family: O-41_…, O_48_….
_FAMILY = re.compile(r"[A-Za-z]+[-_](?=\d)")


_BAD_NAME = (
    "its name may have letters, digits, '.', '_', '-' and inner spaces, 200 at most; rename the folder"
)


class Catalogue(NamedTuple):
    """Generators by name, sorted, and folders that would be some, with the reason why they are none."""

    usable: list[str]
    unusable: dict[str, str]

    def left_out(self, patterns: Iterable[str]) -> dict[str, str]:
        """The unusable ones that names, globs or ``all`` would have stood for."""
        wanted = tuple(patterns)
        return {name: why for name, why in self.unusable.items() if any(matches(p, name) for p in wanted)}


def read_catalogue(path: Path) -> Catalogue:
    """What is under `path`. Hidden folders, and the template for authors, are no generators.

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
    """Why this is no generator though it looks like one; empty where it is one, None for anything else."""
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


def matches(pattern: str, name: str) -> bool:
    """Whether a name, a glob (``O-*``) or ``all`` stands for the generator `name`."""
    return pattern in (ALL, name) or fnmatchcase(name, pattern)


def means_all(patterns: Collection[str]) -> bool:
    """Whether the patterns are ``all``, which stands for every generator and so for itself alone.

    Raises:
        SpecError: other names or globs stand beside it.
    """
    others = [pattern for pattern in patterns if pattern != ALL]
    if others and len(others) < len(patterns):
        raise SpecError(
            f"'all' stands beside {', '.join(map(repr, others[:3]))}; "
            "leave 'all' out to make only those, or give it alone"
        )
    return bool(patterns) and not others


def families(names: Iterable[str]) -> list[str]:
    """Globs such as ``O-*`` for the families that two names or more belong to, sorted."""
    heads = Counter(head[0] for name in names if (head := _FAMILY.match(name)))
    return sorted(f"{head}*" for head, count in heads.items() if count > 1)
