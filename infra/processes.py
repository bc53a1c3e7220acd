"""Which processes are ours, told by what they carry: never by a number alone, which may be reused."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil

_PROC = Path("/proc")
# How far a process's start, as the kernel tells it, may be off.
_CLOCK_SECONDS = 2.0


def is_alive(pid: int, token: str) -> bool:
    """Whether `pid` runs with `token` on its command line."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # if it was our child and has ended, it is gone only after this
    return token in _command_line(pid)


def exists(pid: int, since: float | None = None) -> bool:
    """Whether there is a process of that number, whosever it is; one that only waits to be reaped is gone.

    One that began after `since`, in seconds since the epoch, only has the number again.
    """
    try:
        process = psutil.Process(pid)
        is_later = since is not None and process.create_time() > since + _CLOCK_SECONDS
        return not is_later and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def oldest_start_of(module: str, folder: Path) -> float | None:
    """When the oldest ``python -m MODULE`` in `folder` began, in seconds since the epoch; None if none runs there."""
    found = psutil.process_iter(["cmdline", "cwd", "create_time"])
    return min(
        (
            each.info["create_time"]
            for each in found
            if ("-m", module) in pairwise(each.info["cmdline"] or ())
            and each.info["cwd"] == str(folder.resolve())
        ),
        default=None,
    )


def _command_line(pid: int) -> str:
    try:
        if _PROC.is_dir():
            return (_PROC / str(pid) / "cmdline").read_text(errors="replace")
        shown = subprocess.run(  # noqa: S603
            ["ps", "-ww", "-o", "command=", "-p", str(pid)],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return shown.stdout


def wait_listed(pid: int, token: str, seconds: float) -> bool:
    """Whether the process is seen within some seconds: a new one shows no command line at first."""
    return _wait_for(pid, token, seconds, alive=True)


def wait_gone(pid: int, token: str, seconds: float) -> bool:
    """Whether the process has ended within some seconds."""
    return _wait_for(pid, token, seconds, alive=False)


def _wait_for(pid: int, token: str, seconds: float, *, alive: bool) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid, token) is not alive:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def kill_users_of(scratch: Path) -> None:
    """Kill what has its temporary folder below `scratch`: workers, generators, and orphans of either.

    Linux only; elsewhere a process group has to do.
    """
    for pid in _users_of(scratch):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _users_of(scratch: Path) -> list[int]:
    # Where a process may write is inherited by what it starts, through new sessions and changed parents.
    return [int(entry.name) for entry in _PROC.glob("[0-9]*") if _is_user_of(scratch, entry)]


def _is_user_of(scratch: Path, entry: Path) -> bool:
    try:
        environment = (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    folder = os.fsencode(scratch)
    return any(
        value == b"TMPDIR=" + folder or value.startswith(b"TMPDIR=" + folder + b"/") for value in environment
    )


def kill_group(leader: int) -> None:
    """Kill what is left of the process group of a leader that has just ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
