"""Three hundred repositories, with everything planted that real ones have, from an organisation to a dataset."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.paths import CHECKOUT
from tests.fleet.conftest import _cache, index, repository, wheels
from tests.fleet.planted import ENVIRONMENTS, plant
from tests.fleet.test_github import Stand, stand
from vbvrdatafactory.core.generators_lock import INSTALLED
from vbvrdatafactory.fleet.digests import tree_digest
from vbvrdatafactory.lockfile import is_installed, read_lock

__all__ = ["_cache", "index", "repository", "stand", "wheels"]  # fixtures
pytestmark = [pytest.mark.soak, pytest.mark.aws]

REPOSITORIES, KILLS = 300, 10
DATAFACTORY = str(Path(sys.executable).with_name("datafactory"))


@pytest.fixture
def command(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a command of `datafactory generators` on a folder, as a process of its own."""
    monkeypatch.setenv("GITHUB_API_URL", stand.url)

    def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
        environment = {**os.environ, "GENERATORS_PATH": str(folder)}
        return subprocess.Popen(
            [DATAFACTORY, "generators", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def ended(process: "subprocess.Popen[str]") -> str:
    text, _ = process.communicate(timeout=600)
    assert process.returncode == 0, text
    return text


def state(folder: Path) -> tuple[bytes, str, list[str]]:
    """The lock, the digest of all generators and lists, and which environments are installed."""
    installed = sorted(path.name for path in (folder / INSTALLED).iterdir())
    generators = sorted(path for path in folder.iterdir() if path.is_dir() and path.name != INSTALLED)
    return (
        (folder / "generators.lock.toml").read_bytes(),
        str([tree_digest(p) for p in generators]),
        installed,
    )


def test_three_hundred_generators(
    repository, stand: Stand, index, command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Synced, locked, installed and run; killed at ten moments and run again it ends the same; nothing of theirs runs."""
    trap = tmp_path / "trap"
    planted = plant(repository, REPOSITORIES, trap)
    pages = [planted.listed[at : at + 100] for at in range(0, REPOSITORIES, 100)]

    def answer(path: str, _: dict[str, str]):
        number = int(path.partition("&page=")[2] or 1)
        following = f'<{stand.url}/orgs/o/repos?per_page=100&page={number + 1}>; rel="next"'
        return 200, pages[number - 1], {"Link": following} if number < len(pages) else {}

    stand.answer = answer
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    sync = ("sync", "--org", "o", "--max-mb", "2")
    began = time.monotonic()
    said = ended(command(whole, *sync))
    synced = time.monotonic() - began
    assert f"{REPOSITORIES - 6} fetched, 0 updated, 0 unchanged, 6 left out." in said
    assert f"{REPOSITORIES - 6} generators in {ENVIRONMENTS} environments" in said

    chance = random.Random(10)
    for _ in range(KILLS):
        process = command(killed, *sync)
        time.sleep(chance.uniform(0.3, synced))
        process.kill()
        process.communicate()
    ended(command(killed, *sync))
    ended(command(killed, "lock"))
    ended(command(killed, "install", "--prune"))
    assert state(killed) == state(whole)
    assert not trap.exists()

    began = time.monotonic()
    ended(command(whole, "lock"))
    locked = time.monotonic() - began
    lock = read_lock(whole)
    assert lock
    assert all(is_installed(whole, environment) for environment in lock.environments.values())
    assert "keeps the contract" in ended(command(whole, "check", planted.good[0].work.name))

    run = [DATAFACTORY, "local", "exec", "--own-prefect"]
    run += ["--generators", str(whole), "--state-dir", str(tmp_path / "state"), "--"]
    flow = ["-m", "flows", "--dataset", "fleet", "-g", "all", "-n", "2", "-b", "2"]
    began = time.monotonic()
    done = subprocess.run([*run, sys.executable, *flow], cwd=CHECKOUT, capture_output=True, text=True)
    total = 2 * (REPOSITORIES - 6)
    assert f"RESULT expected={total} whole={total} torn=0 missing=0" in done.stdout, done.stdout[-3000:]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{REPOSITORIES} repositories: synced and locked in {synced:.0f} s, locked again in {locked:.0f} s, "
            f"{total} samples in {time.monotonic() - began:.0f} s\n"
        )
