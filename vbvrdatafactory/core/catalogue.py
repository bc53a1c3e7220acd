"""Which generators there are: the folders under the generators path that hold ``examples/generate.py``."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from vbvrdatafactory.core.errors import ConfigError

ENTRY_POINT = Path("examples") / "generate.py"
_TEMPLATE = "template"
# What stands for every generator wherever names are asked for.
ALL = "all"
# Public names begin with a letter of their family: O-41_…, O_48_….
_FAMILY = re.compile(r"[A-Za-z]+[-_](?=\d)")


def list_generators(path: Path) -> list[str]:
    """Names of the generators under `path`, sorted. The authors' template is not one of them.

    Raises:
        ConfigError: `path` is not a folder.
    """
    if not path.is_dir():
        raise ConfigError(f"GENERATORS_PATH is {str(path)!r}, which is not a folder")
    folders = (child for child in path.iterdir() if (child / ENTRY_POINT).is_file())
    return sorted(child.name for child in folders if child.name != _TEMPLATE)


def families(names: Iterable[str]) -> list[str]:
    """Globs such as ``O-*`` for the families that two names or more belong to, sorted."""
    heads = Counter(head[0] for name in names if (head := _FAMILY.match(name)))
    return sorted(f"{head}*" for head, count in heads.items() if count > 1)
