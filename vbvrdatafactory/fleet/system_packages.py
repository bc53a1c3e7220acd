"""``python -m vbvrdatafactory.fleet.system_packages dnf|apt FOLDER``: prints what the environments need of the system.

For an image's build: the packages of the shared libraries and fonts that the generators' lock names, and the Python that
its environments have.
"""

import sys
from pathlib import Path

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.generators_lock import GeneratorsLock
from vbvrdatafactory.fleet.known import packages
from vbvrdatafactory.lockfile import read_lock


def system_packages(lock: GeneratorsLock, manager: str) -> list[str]:
    """Names of packages, sorted.

    Args:
        lock: the generators' lock.
        manager: ``dnf`` for Amazon Linux, ``apt`` for Debian.
    """
    libraries = {name for one in lock.environments.values() for name in one.system}
    fonts = {name for one in lock.environments.values() for name in one.fonts}
    found, _ = packages(libraries, fonts)
    names = [one.debian if manager == "apt" else one.amazon for one in found]
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    return sorted([*names, *([f"python{lock.python}"] if lock.python != own else [])])


def main(manager: str, folder: Path) -> None:
    """Print them on one line."""
    lock = read_lock(folder)
    if lock is None:
        raise DataFactoryError(
            f"{str(folder)!r} has no lock; run 'datafactory generators lock' before the build"
        )
    sys.stdout.write(" ".join(system_packages(lock, manager)) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except DataFactoryError as error:
        sys.exit(f"{error}")
