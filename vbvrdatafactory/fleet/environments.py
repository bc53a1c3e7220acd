"""Installs environments: each in a hidden folder beside the generators, whole or not at all.

An environment is made in a folder of its own and renamed when it is whole; an install that is killed leaves nothing that
looks like one. Files are hard links to uv's cache where that lies on the same file system, so environments that have
a package in common share its bytes.
"""

import csv
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from packaging.utils import canonicalize_name

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.generators_lock import INSTALLED, MARK, GeneratorsLock, environment_digest
from vbvrdatafactory.fleet.lock_writer import read_requirements
from vbvrdatafactory.fleet.uv import Uv
from vbvrdatafactory.lockfile import is_installed

_NEW = ".new-"
# What careless distributions leave at the top of site-packages; nobody means to import it.
_NOT_IMPORTED = {"test", "tests", "doc", "docs", "example", "examples", "scripts", "benchmarks", "tools"}

Advance = Callable[[int], None]


def install(
    folder: Path, lock: GeneratorsLock, names: Iterable[str], advance: Advance = lambda _: None
) -> dict[str, str]:
    """Install environments that are not yet installed.

    Args:
        folder: the folder of the generators.
        lock: says what each environment has.
        names: ids of environments.
        advance: is called with 1 for each that is done.

    Returns:
        Why an environment could not be installed, by its id; empty where all could.

    Raises:
        DataFactoryError: what an environment installs is not what the lock says.
    """
    texts = {}
    for name in names:
        environment = lock.environments[name]
        if environment.interpreter or is_installed(folder, environment):
            continue
        texts[name] = read_requirements(folder, name)
        if environment_digest(texts[name], environment.python, lock.platform) != environment.digest:
            raise DataFactoryError(
                f"environments/{name}.txt is not what the lock says that it installs; restore both from Git, "
                "or run 'datafactory generators lock'"
            )
    if not texts:
        return {}
    failed = build_all(folder, Uv(lock.python, lock.platform, lock.build), texts, advance)
    return {name: str(error) for name, error in failed.items()}


def build_all(
    folder: Path, uv: Uv, texts: Mapping[str, str], advance: Advance = lambda _: None
) -> dict[str, Exception]:
    """Install environments from what each of them has, by id; why one could not be, by its id.

    One after the other: of two uv that fetch a wheel at the same time each unpacks its own, and their environments share none
    of its files.
    """
    failed: dict[str, Exception] = {}
    with _alone(folder):
        for name, text in texts.items():
            try:
                _build(folder, uv, text, name)
            except (DataFactoryError, OSError, subprocess.SubprocessError) as error:
                failed[name] = error
            advance(1)
    return failed


def _build(folder: Path, uv: Uv, text: str, name: str) -> None:
    place, new = folder / INSTALLED / name, folder / INSTALLED / f"{_NEW}{name}-{uuid4().hex}"
    try:
        requirements = new.with_suffix(".txt")
        requirements.write_text(text, encoding="utf-8")
        uv.make(new, requirements)
        if rivals := find_rivals(new):
            raise rivals
        digest = environment_digest(text, uv.python, uv.platform)
        (new / MARK).write_text(json.dumps({"digest": digest, "python": uv.python}), encoding="utf-8")
        if place.exists():
            # Without its mark, or of another digest: nobody runs it.
            shutil.rmtree(place)
        new.rename(place)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        new.with_suffix(".txt").unlink(missing_ok=True)


class Rivals(DataFactoryError):  # noqa: N818 - what they are
    """Two distributions install different files at one place, so they can't share an environment.

    Args:
        distributions: their names.
        package: the import package that both own.
    """

    def __init__(self, distributions: tuple[str, str], package: str) -> None:
        self.distributions = distributions
        super().__init__(
            f"{' and '.join(distributions)} both install {package!r}, and one overwrites the other; "
            "drop one of them in overrides.toml"
        )


def find_rivals(environment: Path) -> Rivals | None:
    """The first two distributions of an installed environment of which one overwrote a module of the other."""
    owners: dict[str, tuple[str, str]] = {}
    for record in sorted(environment.glob("lib/python*/site-packages/*.dist-info/RECORD")):
        distribution = str(canonicalize_name(record.parent.name.partition("-")[0]))
        for path, digest, _ in csv.reader(record.read_text(encoding="utf-8").splitlines()):
            top = path.partition("/")[0]
            if top in _NOT_IMPORTED or not path.endswith((".py", ".so")) or path.startswith("../"):
                continue
            other, other_digest = owners.setdefault(path, (distribution, digest))
            if other != distribution and other_digest != digest:
                return Rivals((other, distribution), top)
    return None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder of the installed environments, waiting for whoever holds it; half-made ones of the dead go."""
    place = folder / INSTALLED
    place.mkdir(parents=True, exist_ok=True)
    handle = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for path in place.glob(f"{_NEW}*"):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        yield
    finally:
        os.close(handle)
