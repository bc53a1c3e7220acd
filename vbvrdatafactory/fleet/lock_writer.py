"""Writes the lock of the generators, and what its environments install."""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import tomli_w

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.generators_lock import LOCK, REQUIREMENTS, GeneratorsLock

# A process that was killed while it started another one leaves it the folder until that one runs Git.
_RELEASE_SECONDS = 5.0
_HEADER = """\
# Written by 'datafactory generators sync' and 'datafactory generators lock'; commit it. Corrections go into overrides.toml.

"""


def format_lock(lock: GeneratorsLock) -> str:
    """The lock as TOML: generators and environments by name, what is empty left out."""
    said = lock.model_dump(mode="json", exclude_defaults=True)
    for name, environment in said.get("environments", {}).items():
        # A default may be another tomorrow.
        environment["python"] = lock.environments[name].python
    top: dict[str, object] = {
        "schema_version": lock.schema_version,
        "python": lock.python,
        "platform": lock.platform,
    }
    if lock.build:
        top["build"] = list(lock.build)
    tables = {
        kind: {name: said[kind].get(name, {}) for name in sorted(said.get(kind, {}))}
        for kind in ("generators", "environments")
    }
    return _HEADER + tomli_w.dumps({**top, **tables}, multiline_strings=False)


def write_lock(folder: Path, lock: GeneratorsLock) -> None:
    """Write the lock into the folder of the generators, whole or not at all."""
    write_whole(folder / LOCK, format_lock(lock))


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder of the generators: who syncs or locks it reads the lock, and writes it a while later.

    Raises:
        DataFactoryError: another process holds it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        _hold(handle, folder)
        yield
    finally:
        os.close(handle)


def _hold(handle: int, folder: Path) -> None:
    deadline = time.monotonic() + _RELEASE_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise DataFactoryError(
                    f"another sync or lock is at work in {str(folder)!r}; wait for it"
                ) from None
            time.sleep(0.05)
        else:
            return


def write_requirements(folder: Path, texts: Mapping[str, str]) -> None:
    """Write what each environment installs, by its id, and remove what no environment has any more."""
    place = folder / REQUIREMENTS
    place.mkdir(exist_ok=True)
    for name, text in texts.items():
        write_whole(place / f"{name}.txt", text)
    for path in place.glob("*.txt"):
        if path.stem not in texts:
            path.unlink()


def read_requirements(folder: Path, environment: str) -> str:
    """What the environment of that id installs; empty where its file is gone."""
    try:
        return (folder / REQUIREMENTS / f"{environment}.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader, or a process killed half way, never leaves a part of it."""
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)  # noqa: PTH105 - over what is there
    finally:
        new.unlink(missing_ok=True)
