"""Gives a generator a world of its own, where the kernel lets us: processes, /proc, shared memory.

In namespaces of its own a generator sees no process but those that it started, and when the first of them ends
the kernel ends all others at once: none can detach itself, fork faster than it is found, or outlive a worker
that was killed. Root may always do this; others may where user namespaces are allowed. AWS Lambda and most
containers do not: there `processes` finds and ends what it can.

Runs in the generator's process, and by itself (``python namespaces.py``) to find out whether it is possible:
only the standard library is used. The numbers are the kernel's (linux/sched.h, linux/mount.h, linux/prctl.h).
"""

import ctypes
import os
import signal
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NoReturn

_NEW_MOUNTS, _NEW_IPC, _NEW_USER, _NEW_PROCESSES = 0x00020000, 0x08000000, 0x10000000, 0x20000000
_PRIVATE, _RECURSIVE = 1 << 18, 1 << 14
_NO_SUID, _NO_DEVICES, _NO_EXECUTION = 2, 4, 8
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_SHARED_MEMORY = "/dev/shm"  # noqa: S108
_STATUS = struct.Struct("i")
_POLITE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@cache
def are_allowed() -> bool:
    """Whether generators get a world of their own here; found out once, by trying."""
    if sys.platform != "linux":
        return False
    trial = [sys.executable, "-IS", __file__]
    return subprocess.run(trial, check=False, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0  # noqa: S603


def enter(shared_bytes: int) -> None:
    """Go on in a world of its own, as a process that ends with the one that called.

    That one stays outside: it waits, and then ends just as the generator did.

    Args:
        shared_bytes: how much its own /dev/shm may hold.

    Raises:
        OSError: the kernel does not allow it.
    """
    _unshare()
    reading, writing = os.pipe()
    first = os.fork()
    if first:
        os.close(writing)
        _end_as(first, reading)
    os.close(reading)
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _mount(shared_bytes)
    # What the generator started must not stop the one process that all of it hangs on.
    _call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)
    second = os.fork()
    if second:
        _be_first(second, writing)
    os.close(writing)
    os.setsid()
    _call("prctl", _PR_SET_DUMPABLE, 1, 0, 0, 0)


def _unshare() -> None:
    try:
        _call("unshare", _NEW_MOUNTS | _NEW_IPC | _NEW_PROCESSES)
    except PermissionError:
        user, group = os.getuid(), os.getgid()
        _call("unshare", _NEW_USER | _NEW_MOUNTS | _NEW_IPC | _NEW_PROCESSES)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            Path(f"/proc/self/{name}").write_text(text)


def _mount(shared_bytes: int) -> None:
    # What is mounted here is to be seen here only.
    _call("mount", b"none", b"/", None, _PRIVATE | _RECURSIVE, None)
    safe = _NO_SUID | _NO_DEVICES | _NO_EXECUTION
    _call("mount", b"proc", b"/proc", b"proc", safe, None)
    if Path(_SHARED_MEMORY).is_dir():
        size = f"size={shared_bytes},mode=1777".encode()
        _call("mount", b"shm", _SHARED_MEMORY.encode(), b"tmpfs", _NO_SUID | _NO_DEVICES, size)


def _be_first(generator: int, writing: int) -> NoReturn:
    """The first process of the world: buries what ends in it, and ends with the generator."""

    def pass_on(number: int, _frame: object) -> None:
        os.killpg(generator, number)

    for number in _POLITE:
        signal.signal(number, pass_on)
    while True:
        pid, status = os.wait()
        if pid == generator:
            os.write(writing, _STATUS.pack(status))
            os._exit(0)


def _end_as(first: int, reading: int) -> NoReturn:
    """Outside: wait for the end of the world, then end as the generator did."""
    for number in _POLITE:
        # They are for the generator; this process has to see how it ends.
        signal.signal(number, signal.SIG_IGN)
    os.waitpid(first, 0)
    told = os.read(reading, _STATUS.size)
    code = os.waitstatus_to_exitcode(_STATUS.unpack(told)[0]) if told else -signal.SIGKILL
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _call(name: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    try:
        enter(1 << 20)
    except OSError as error:
        sys.exit(str(error))
    os._exit(0 if os.getpid() > 1 and os.getppid() == 1 else 1)
