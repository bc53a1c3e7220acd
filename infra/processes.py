"""Starts, finds and stops processes of ours, identified by a token on their command line: a pid alone may be reused."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

EXIT_SECONDS = 30.0
_POLL_SECONDS = 0.05

_PROC = Path("/proc")
# How far a process's start, as the kernel tells it, may be off.
_CLOCK_SECONDS = 2.0


class Spawned(NamedTuple):
    """A process that was started, and the token by which it is found again."""

    pid: int
    token: str


def spawn(
    arguments: Sequence[str],
    environment: Mapping[str, str] | Callable[[str], Mapping[str, str]],
    *,
    cwd: Path,
    log: Path,
) -> Spawned:
    """Start ``python -m ARGUMENTS`` in the background, in a session of its own; it outlives its starter.

    Args:
        arguments: the module and what follows it.
        environment: its whole environment, or what makes that of its token.
        cwd: where it runs.
        log: gets its output; made anew.
    """
    token = f"datafactory-{secrets.token_hex(8)}"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            # Python keeps an -X option it does not know, and the process table shows it.
            [sys.executable, "-X", token, "-m", *arguments],
            cwd=cwd,
            env=dict(environment(token) if callable(environment) else environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process.returncode = 0  # it is meant to outlive this object
    wait_listed(process.pid, token, seconds=1)
    return Spawned(process.pid, token)


def wait_until_ready(
    what: str, is_ready: Callable[[], bool], is_running: Callable[[], bool], *, seconds: float, log: Path
) -> None:
    """Wait until a process that was started is ready.

    Raises:
        DataFactoryError: it ended, or is not ready after so many seconds; with the end of its log.
    """
    deadline = time.monotonic() + seconds
    while not is_ready():
        if not is_running():
            raise DataFactoryError(f"{what} has ended; {str(log)!r} ends with: {last_lines(log)}")
        if time.monotonic() > deadline:
            raise DataFactoryError(
                f"{what} is not ready after {seconds:.0f} s; {str(log)!r} ends with: {last_lines(log)}"
            )
        time.sleep(_POLL_SECONDS)


def stop(pid: int, token: str) -> bool:
    """End a process by SIGTERM, after `EXIT_SECONDS` by SIGKILL, and then what is left of its process group.

    Returns:
        Whether it ran.
    """
    if not is_alive(pid, token):
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    if not wait_gone(pid, token, EXIT_SECONDS):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_gone(pid, token, EXIT_SECONDS)
    kill_group(pid)
    return True


def last_lines(log: Path, count: int = 5) -> str:
    """The last lines of a log in one; empty where it can't be read."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return " | ".join(line.strip() for line in lines[-count:])


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


def kill_users_of(scratch: Path, seconds: float = EXIT_SECONDS) -> None:
    """Kill what has its temporary folder below `scratch`: workers, generators, and orphans of either.

    It is over when none is left, or after some seconds: one that was killed goes on for a moment, and what it started
    just before that was not seen yet. Linux only; elsewhere a process group has to do.
    """
    deadline = time.monotonic() + seconds
    while (left := _users_of(scratch)) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


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
