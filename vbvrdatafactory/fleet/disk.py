"""What installed environments take on disk, and the removal of those that no lock names."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from vbvrdatafactory.core.generators_lock import INSTALLED, GeneratorsLock


class Sizes(NamedTuple):
    """Bytes on disk.

    Args:
        apart: of the environments if they shared nothing.
        together: as they are, each file counted once.
    """

    apart: int
    together: int


def measure(folder: Path, names: Iterable[str]) -> Sizes:
    """What environments take, by their ids.

    Args:
        folder: the folder of the generators.
        names: ids of environments.
    """
    apart, files = 0, {}
    for name in names:
        for root, _, found in os.walk(folder / INSTALLED / name):
            for file in found:
                status = os.lstat(f"{root}/{file}")
                apart += status.st_blocks * 512
                files[status.st_dev, status.st_ino] = status.st_blocks * 512
    return Sizes(apart, sum(files.values()))


def prune_environments(folder: Path, lock: GeneratorsLock) -> list[str]:
    """Remove installed environments that `lock` does not name; returns their ids."""
    place = folder / INSTALLED
    old = [
        path
        for path in (sorted(place.iterdir()) if place.is_dir() else ())
        if path.is_dir() and not path.name.startswith(".") and path.name not in lock.environments
    ]
    for path in old:
        shutil.rmtree(path)
    return [path.name for path in old]
