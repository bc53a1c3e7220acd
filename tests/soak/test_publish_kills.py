"""Publishing under kills and faults, again and again."""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.store import LocalStore

from tests.release import folders
from tests.release.test_hub import files_of, listed, start
from vbvrdatafactory.driver.release_card import describe
from vbvrdatafactory.testing.hub import Fault, LoopbackHub

pytestmark = pytest.mark.soak

KILLS = 6


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub().serving() as serving:
        yield serving


def test_kills_at_any_moment_cost_nothing_but_what_was_on_its_way(hub: LoopbackHub, tmp_path: Path) -> None:
    """A call killed six times, to a Hub that is slow and fails one request in ten: nothing is sent twice but what was on its way."""
    folder = tmp_path / "release"
    folder.mkdir()
    folders.write(folder, folders.samples(each=20), per_shard=1)
    describe(LocalStore(folder))
    draw = random.Random(11)
    hub.faults = lambda _method, _path: Fault(
        seconds=draw.random() / 5, status=503 if draw.random() < 0.1 else 0
    )
    wanted = sum(path.endswith((".tar", ".png", ".parquet")) for path in files_of(folder))
    for kill in range(KILLS):
        process = start(folder, hub, tmp_path / "home")
        began, at = time.monotonic(), wanted * (kill + 1) // (KILLS + 2)
        while len(hub.received) < at and process.poll() is None and time.monotonic() - began < 120:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        time.sleep(0.5)
    last = start(folder, hub, tmp_path / "home")
    said, _ = last.communicate(timeout=300)
    assert last.returncode == 0, said
    assert listed(hub) == files_of(folder)
    twice = sum(count - 1 for count in Counter(hub.received).values())
    # Four uploads of large files, or five of small ones, are on their way at a time.
    assert twice <= 5 * KILLS, twice
