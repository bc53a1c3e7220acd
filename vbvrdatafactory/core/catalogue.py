"""Which generators there are: the folders under the generators path that hold ``examples/generate.py``."""

from pathlib import Path

from vbvrdatafactory.core.errors import ConfigError

ENTRY_POINT = Path("examples") / "generate.py"
_TEMPLATE = "template"


def list_generators(path: Path) -> list[str]:
    """Names of the generators under `path`, sorted. The authors' template is not one of them.

    Raises:
        ConfigError: `path` is not a folder.
    """
    if not path.is_dir():
        raise ConfigError(f"GENERATORS_PATH is {str(path)!r}, which is not a folder")
    folders = (child for child in path.iterdir() if (child / ENTRY_POINT).is_file())
    return sorted(child.name for child in folders if child.name != _TEMPLATE)
