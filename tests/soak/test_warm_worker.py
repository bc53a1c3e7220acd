"""A warm worker after a thousand batches is the worker it was after a hundred."""

import threading
from pathlib import Path

import psutil
import pytest
from obstore.store import MemoryStore

from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from lambda_worker.failure import BatchFailed
from vbvrdatafactory.core.models import TaskMessage

pytestmark = pytest.mark.soak

MB = 1024 * 1024
BATCHES, WARM = 1000, 100

LITTER = """
    for place in (tempfile.gettempdir(), Path.home(), out):
        folder = Path(tempfile.mkdtemp(dir=place))
        (folder / "big").write_bytes(b"x" * (1 << 20))
        folder.chmod(0)
    print("noise " * 200_000)
    print("noise " * 200_000, file=sys.stderr)
    subprocess.Popen(sleep(20), start_new_session=True)
    bare_daemon()
    write_samples(out, seed, count)
"""
CRASH = """
    def before(place):
        if place == 2:
            raise ValueError("no such shape")
    make(out, seed, count, before)
"""


def figures() -> dict[str, int]:
    """What a leak would show in."""
    me = psutil.Process()
    return {
        "rss": me.memory_info().rss,
        "descriptors": me.num_fds(),
        "threads": threading.active_count(),
        "kernel threads": me.num_threads(),
        "children": len(me.children(recursive=True)),
        "maps": len(Path("/proc/self/maps").read_text().splitlines()),
    }


def show(after: int, seen: dict[str, int]) -> str:
    return f"after {after}: " + ", ".join(
        f"{name} {value / MB:.1f} MB" if name == "rss" else f"{name} {value}" for name, value in seen.items()
    )


def test_a_thousand_batches_leave_no_trace(arena, capsys) -> None:
    """1,000 batches of good, crashing and littering generators in one process grow neither disk nor memory."""
    names = [
        arena.plain("write_samples(out, seed, count)", name="T-1_good_data-generator"),
        arena.template(name="T-2_template_data-generator"),
        arena.plain(LITTER, name="T-3_litter_data-generator"),
        arena.plain(CRASH, name="T-4_crash_data-generator"),
        arena.template("os._exit(3)", at=2, name="T-5_dies_data-generator"),
    ]
    arena.begin()
    stored, seen = 0, {}
    for number in range(1, BATCHES + 1):
        # A store of its own for each batch: one that keeps all samples would grow by itself.
        store = MemoryStore()
        worker = Worker(arena.generators, lambda *_, store=store: store, arena.limits)
        name = names[number % len(names)]
        output_format = "tar" if number % 2 else "files"
        message = TaskMessage(type=name, num_samples=4, seed=number, output_format=output_format)
        try:
            stored += worker.process(Delivery(message, number, 1, 30)).samples_uploaded
        except BatchFailed as failed:
            stored += sum(indices.size for indices in failed.stored)
        if number in {WARM, BATCHES}:
            seen[number] = figures()
            with capsys.disabled():
                print(f"\n{show(number, seen[number])}")
    assert stored == BATCHES * 4 - 2 * (BATCHES * 2 // 5)
    assert seen[BATCHES].pop("rss") - seen[WARM].pop("rss") < 16 * MB
    assert abs(seen[BATCHES].pop("maps") - seen[WARM].pop("maps")) < 200
    assert seen[BATCHES] == seen[WARM]
    assert not list(arena.temp.iterdir())
