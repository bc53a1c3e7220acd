"""Everything a generator started: found, measured and ended, even what detached itself from its parent.

A process belongs to a run if its environment names the run's folder, if it works in it or holds something of
it open, or if it became our child without our starting it: as the subreaper, this process inherits orphans.
"""

import ctypes
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from lambda_worker.generator import namespaces

_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError)
_END_SECONDS = 10.0
_ORPHAN_SECONDS = 1.0
_KERNEL_LISTS_CHILDREN = Path("/proc/thread-self/children").exists()

_lock = threading.Lock()
# Processes that this one started and still waits for.
_leaders: set[int] = set()


def prepare() -> None:
    """Inherit orphans, and keep this process's environment from its equals."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def children() -> frozenset[int]:
    """Children this process has now."""
    return frozenset(_children_of(os.getpid()))


@contextmanager
def starting() -> Iterator[Callable[[int], None]]:
    """While a process of ours begins; call what it gives with the number that it has.

    Until then nobody may take it for an orphan.
    """
    with _lock:
        yield _leaders.add


def ended(pid: int) -> None:
    """Say that a process of ours was waited for."""
    with _lock:
        _leaders.discard(pid)


def family(pid: int) -> set[int]:
    """Process `pid` and all that descend from it, as far as their parents live."""
    found, new = {pid}, {pid}
    while new:
        new = {child for parent in new for child in _children_of(parent)} - found
        found |= new
    return found


def members(root: Path) -> set[int]:
    """Living processes that the folder `root` of a run shows as that run's, whoever is their parent.

    One that this process started and still waits for is none of them, though it may have a file of the run open: the
    gate's reads the samples.
    """
    needle, found = str(root), set()
    with _lock:
        ours = {os.getpid(), *_leaders}
    for process in psutil.process_iter():
        with suppress(*_GONE):
            if process.pid in ours or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if (
                needle in process.environ().get("TMPDIR", "")
                or process.cwd().startswith(needle)
                or (not namespaces.are_allowed() and _holds(process.pid, needle))
            ):
                found.add(process.pid)
    return found


def _holds(pid: int, needle: str) -> bool:
    """Whether a process has something below the folder `needle` open."""
    with suppress(OSError):
        for handle in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                if os.readlink(handle.path).startswith(needle):  # noqa: PTH115
                    return True
    return False


def resident_bytes(pids: Iterable[int]) -> int:
    """Resident memory of these processes; what two share counts twice."""
    total = 0
    for pid in pids:
        with suppress(*_GONE):
            total += psutil.Process(pid).memory_info().rss
    return total


def peak_bytes(pid: int) -> int:
    """The most memory that a living process ever had resident; 0 where the kernel does not tell."""
    with suppress(OSError, ValueError), open(f"/proc/{pid}/status", "rb") as status:  # noqa: PTH123 - it is quicker
        for line in status:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def unnamed_bytes(pids: Iterable[int]) -> int:
    """What files take on disk that these processes have open and deleted; counted once for each who holds them."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for handle in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    status = os.stat(handle.path)  # noqa: PTH116
                    if status.st_nlink == 0 and stat.S_ISREG(status.st_mode):
                        total += status.st_blocks * 512
    return total


def end_all(root: Path, before: frozenset[int]) -> None:
    """Kill every process of the run, and orphans of it that hide, until none is left.

    `before` are the children this process had when the run began: they are none of its orphans.
    """
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        left = members(root)
        for pid in left:
            with suppress(*_GONE):
                os.kill(pid, signal.SIGKILL)
        if not _end_orphans(before) and not left:
            return
        time.sleep(0.002)


def orphans(before: frozenset[int]) -> set[int]:
    """Children that this process inherited since `before`."""
    with _lock:
        return _children_of(os.getpid()) - before - _leaders


def _end_orphans(before: frozenset[int]) -> bool:
    """Kill and bury children that this process inherited since `before`; whether there were any.

    Without a pause: one that forks and leaves is found again before it does so once more.
    """
    deadline, were_any = time.monotonic() + _ORPHAN_SECONDS, False
    while time.monotonic() < deadline:
        found = orphans(before)
        if not found:
            break
        were_any = True
        for pid in found:
            # It is our child, so nobody else has its number before it is buried.
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                os.waitpid(pid, os.WNOHANG)
    return were_any


def _children_of(pid: int) -> set[int]:
    """From the kernel's own lists, in microseconds, where it has them."""
    found: set[int] = set()
    try:
        for task in os.scandir(f"/proc/{pid}/task"):
            with open(f"{task.path}/children", "rb") as children, suppress(OSError):  # noqa: PTH123 - it is quicker
                found.update(map(int, children.read().split()))
    except OSError:
        if not _KERNEL_LISTS_CHILDREN:
            with suppress(*_GONE):
                found.update(child.pid for child in psutil.Process(pid).children())
    return found
