"""``python -m vbvrdatafactory.fleet.install_here FOLDER ID…``: installs environments, for set-up and for images.

It needs no configuration, so a wrong one of the user's does not keep a checkout from being set up.
"""

import sys
from pathlib import Path

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.fleet.environments import install
from vbvrdatafactory.lockfile import read_lock


def main(folder: Path, names: list[str]) -> None:
    """Install these environments of the lock in `folder`; all that it has where none is named."""
    lock = read_lock(folder)
    if lock is None:
        raise DataFactoryError(f"{str(folder)!r} has no lock")
    failed = install(folder, lock, names or lock.environments)
    if failed:
        raise DataFactoryError("; ".join(f"environment {name}: {why}" for name, why in failed.items()))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2:])
    except DataFactoryError as error:
        sys.exit(f"{error}")
