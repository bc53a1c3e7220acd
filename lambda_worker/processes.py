"""Everything a generator started: found, measured and ended, even what detached itself from its parent.

A process belongs to a run if its environment names the run's folder, if its working directory lies in it, or
if it became our child without our starting it: as the subreaper, this process inherits orphans.
"""

import ctypes
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError)
_END_SECONDS = 10.0

_lock = threading.Lock()
# Processes that this one started for runs that go on.
_leaders: set[int] = set()


def prepare() -> None:
    """Inherit orphans, and keep this process's environment from its equals."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def children() -> frozenset[int]:
    """Children this process has now."""
    return frozenset(child.pid for child in psutil.Process().children())


def start(command: list[str], *, cwd: Path, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a run's own process, in a session of its own and with nothing inherited but two pipes."""
    with _lock:
        process = subprocess.Popen(  # noqa: S603 - a generator is a program we are here to run
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        _leaders.add(process.pid)
    return process


def ended(process: "subprocess.Popen[bytes]") -> None:
    """Say that a run's own process was waited for."""
    with _lock:
        _leaders.discard(process.pid)


def members(root: Path) -> Iterator[psutil.Process]:
    """Living processes of the run whose folder is `root`."""
    needle = str(root)
    for process in psutil.process_iter():
        with suppress(*_GONE):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if needle in process.environ().get("TMPDIR", "") or process.cwd().startswith(needle):
                yield process


def resident_bytes(pid: int, root: Path | None = None) -> int:
    """Resident memory of process `pid` alone or, with `root`, of every process of the run."""
    total = 0
    processes = {p.pid: p for p in members(root)} if root else {}
    with suppress(*_GONE):
        leader = psutil.Process(pid)
        family = [leader, *leader.children(recursive=True)] if root else [leader]
        processes |= {process.pid: process for process in family}
    for process in processes.values():
        with suppress(*_GONE):
            total += process.memory_info().rss
    return total


def unnamed_bytes(root: Path) -> int:
    """What files take on disk that the run has open and has deleted; counted once for each who holds them."""
    total = 0
    for process in members(root):
        with suppress(OSError):
            for handle in os.scandir(f"/proc/{process.pid}/fd"):
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
        left = [*members(root), *_orphans(before)]
        if not left:
            return
        for process in left:
            with suppress(*_GONE):
                process.send_signal(signal.SIGKILL)
        time.sleep(0.002)


def _orphans(before: frozenset[int]) -> list[psutil.Process]:
    """Children that this process inherited since `before`; those that ended are reaped."""
    with _lock:
        found = [c for c in psutil.Process().children() if c.pid not in before and c.pid not in _leaders]
    living = []
    for child in found:
        with suppress(ChildProcessError):
            if os.waitpid(child.pid, os.WNOHANG) == (0, 0):
                living.append(child)
    return living
