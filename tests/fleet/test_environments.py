"""Environments are installed whole or not at all, and exactly as they are locked."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.generators_lock import (
    INSTALLED,
    GeneratorsLock,
    LockedEnvironment,
    environment_digest,
    environment_id,
)
from vbvrdatafactory.fleet.disk import measure, prune_environments
from vbvrdatafactory.fleet.environments import Rivals, build_all, install
from vbvrdatafactory.fleet.lock_writer import write_requirements
from vbvrdatafactory.fleet.uv import Uv
from vbvrdatafactory.lockfile import is_installed

PLATFORM = "x86_64-manylinux_2_28"


def lock_of(fleet: Path, *requirements: str, text: str | None = None) -> tuple[GeneratorsLock, str]:
    """A lock with one environment, and that one's id."""
    found = Uv("3.11", PLATFORM).resolve(requirements).text if text is None else text
    digest = environment_digest(found, "3.11", PLATFORM)
    name = environment_id(digest)
    write_requirements(fleet, {name: found})
    return GeneratorsLock(environments={name: LockedEnvironment(digest=digest)}), name


def python(fleet: Path, name: str, code: str) -> str:
    done = subprocess.run(
        [fleet / INSTALLED / name / "bin" / "python", "-c", code], capture_output=True, text=True
    )
    return done.stdout.strip() or done.stderr


def test_what_is_locked_is_installed(
    index, fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment has the locked versions and nothing else, with its bytecode in it; again, nothing is done."""
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "elsewhere"))
    lock, name = lock_of(fleet, "numpy==1.26.4")
    assert install(fleet, lock, [name]) == {}
    assert is_installed(fleet, lock.environments[name])
    assert python(fleet, name, "import numpy; print(numpy.__version__)") == "1.26.4"
    site = next((fleet / INSTALLED / name).glob("lib/python*/site-packages"))
    assert {path.name for path in site.glob("*.dist-info")} == {"numpy-1.26.4.dist-info"}
    assert [*site.glob("numpy/__pycache__/*.pyc")]
    before = (fleet / INSTALLED / name).stat().st_ino
    assert install(fleet, lock, [name]) == {}
    assert (fleet / INSTALLED / name).stat().st_ino == before


def test_another_hash_is_refused_by_name(index, fleet: Path) -> None:
    """With one digit of a wheel's hash changed, that package is named, and no environment is left."""
    right = Uv("3.11", PLATFORM).resolve(["numpy==1.26.4", "pillow==10.4.0"]).text
    at = right.index("sha256:", right.index("numpy==")) + len("sha256:")
    lock, name = lock_of(fleet, text=right[:at] + ("0" if right[at] != "0" else "1") + right[at + 1 :])
    failed = install(fleet, lock, [name])
    assert "numpy" in failed[name]
    assert "pillow" not in failed[name].lower().replace("pillow==10.4.0", "")
    assert [*(fleet / INSTALLED).iterdir()] == []


def test_a_list_that_is_not_the_locks_is_refused(index, fleet: Path) -> None:
    """A list of packages that somebody edited is not what the lock's digest says."""
    lock, name = lock_of(fleet, "numpy==1.26.4")
    path = fleet / "environments" / f"{name}.txt"
    path.write_text(path.read_text().replace("1.26.4", "2.0.0"))
    with pytest.raises(DataFactoryError, match=f"environments/{name}.txt is not what the lock says"):
        install(fleet, lock, [name])


def test_half_an_environment_is_none(index, fleet: Path) -> None:
    """What a killed install left is no environment, is removed by the next, and is made then."""
    lock, name = lock_of(fleet, "numpy==1.26.4")
    for left in (fleet / INSTALLED / f".new-{name}-dead", fleet / INSTALLED / name):
        (left / "bin").mkdir(parents=True)
    assert not is_installed(fleet, lock.environments[name])
    assert install(fleet, lock, [name]) == {}
    assert [path.name for path in (fleet / INSTALLED).iterdir()] == [name]


def test_a_mark_of_another_digest_is_none(index, fleet: Path) -> None:
    """An environment that says it is another is not taken for this one."""
    lock, name = lock_of(fleet, "numpy==1.26.4")
    install(fleet, lock, [name])
    (fleet / INSTALLED / name / "environment.json").write_text(json.dumps({"digest": "0" * 64}))
    assert not is_installed(fleet, lock.environments[name])


def test_two_that_install_one_module_are_found(index, fleet: Path) -> None:
    """Distributions of which one overwrote the other's module are named, whatever they are called."""
    text = Uv("3.11", PLATFORM).resolve(["twin-a", "twin-b"]).text
    failed = build_all(fleet, Uv("3.11", PLATFORM), {"x": text})
    assert isinstance(failed["x"], Rivals)
    assert failed["x"].distributions == ("twin-a", "twin-b")


def test_it_works_where_it_is_moved(index, tmp_path: Path, fleet: Path) -> None:
    """A folder of generators that is moved, or copied into an image, takes its environments with it."""
    lock, name = lock_of(fleet, "numpy==1.26.4")
    install(fleet, lock, [name])
    moved = fleet.rename(tmp_path / "moved away")
    assert python(moved, name, "import numpy; print(numpy.__version__)") == "1.26.4"


def test_shared_files_count_once(index, fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two environments with a package in common take its bytes once, where the cache is on the same file system and empty."""
    monkeypatch.setenv("UV_CACHE_DIR", str(fleet / ".cache"))
    uv = Uv("3.11", PLATFORM)
    texts = {
        name: uv.resolve(["numpy==1.26.4", *more]).text for name, more in (("a", ()), ("b", ("pillow",)))
    }
    shutil.rmtree(fleet / ".cache")
    build_all(fleet, uv, texts)
    sizes = measure(fleet, ["a", "b"])
    (one, two) = (
        next((fleet / INSTALLED / name).glob("lib/*/site-packages/numpy/__init__.py")) for name in "ab"
    )
    assert one.samefile(two)
    assert sizes.together < sizes.apart


class Counting(Uv):
    """Counts how many environments it makes at the same time."""

    running = most = 0

    def make(self, folder: Path, requirements: Path) -> None:
        Counting.running += 1
        Counting.most = max(Counting.most, Counting.running)
        time.sleep(0.2)
        super().make(folder, requirements)
        Counting.running -= 1


def test_no_two_fetch_at_the_same_time(index, fleet: Path) -> None:
    """Each of them would unpack a wheel of its own, and their environments share none of its files."""
    uv = Counting("3.11", PLATFORM)
    text = uv.resolve(["numpy==1.26.4"]).text
    assert build_all(fleet, uv, {"a": text, "b": text}) == {}
    assert Counting.most == 1


def test_old_environments_go_when_asked(index, fleet: Path) -> None:
    """Only those that the lock does not have are removed."""
    lock, name = lock_of(fleet, "numpy==1.26.4")
    install(fleet, lock, [name])
    (fleet / INSTALLED / "0123456789ab").mkdir()
    assert prune_environments(fleet, lock) == ["0123456789ab"]
    assert is_installed(fleet, lock.environments[name])
