"""The password of the Prefect server here: made once for a checkout, in a file that only its owner reads."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from pathlib import Path

_USER = "datafactory"


def read(file: Path) -> str:
    """What it is, as Prefect wants it: ``user:password``.

    Raises:
        DataFactoryError: the file is not there, or holds none.
    """
    try:
        kept = file.read_text()
    except FileNotFoundError as error:
        raise DataFactoryError(
            "the Prefect server here has no password yet; start it with 'make up'"
        ) from error
    user, _, password = kept.strip().partition(":")
    if not user or not password:
        raise DataFactoryError(f"{str(file)!r} holds no password; delete it and say 'make up' again")
    return kept.strip()


def ensure(file: Path) -> str:
    """Read it; make it first if there is none. One process at a time."""
    if not file.exists():
        partial = file.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        # Never readable by others, not even for a moment.
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(f"{_USER}:{secrets.token_urlsafe(24)}\n")
        partial.replace(file)
    file.chmod(0o600)
    return read(file)
