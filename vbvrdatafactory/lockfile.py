"""Reads the lock of the generators from their folder, and whether what it names is installed there."""

import os
from pathlib import Path

from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.generators_lock import (
    INSTALLED,
    LOCK,
    MARK,
    GeneratorsLock,
    LockedEnvironment,
    environment_id,
    parse_lock,
)
from vbvrdatafactory.core.parsing import parse_json


def read_lock(folder: Path) -> GeneratorsLock | None:
    """The lock in the folder of the generators; None where there is none.

    Raises:
        ConfigError: it can't be read.
    """
    path = folder / LOCK
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{str(path)!r} can't be read: {error}") from error
    return parse_lock(text, str(path))


def is_installed(folder: Path, environment: LockedEnvironment) -> bool:
    """Whether an environment can run its generators here.

    Args:
        folder: the folder of the generators.
        environment: as the lock has it.
    """
    if environment.interpreter:
        return os.access(environment.interpreter, os.X_OK)
    try:
        said = parse_json((folder / INSTALLED / environment_id(environment.digest) / MARK).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and said.get("digest") == environment.digest
