"""Confines a process and all it will start to writing in given folders, where the kernel knows Landlock.

Linux 5.13 and later; no privilege is needed and none can undo it. A confined process can neither read the
memory and environment of processes outside (their ptrace check fails) nor, from Linux 6.12 on, signal them.
AWS Lambda's kernel has no Landlock: there the file system outside /tmp is read-only anyway.

Only the standard library is used: the launcher imports this in the generator's process. The numbers are the
kernel's (linux/landlock.h) and can't change.
"""

import ctypes
import os
import platform
import sys
from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_REFER = 1 << 13
_SCOPE_SOCKETS_AND_SIGNALS = 0b11
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty")
# POSIX semaphores live here: multiprocessing needs them.
_SHARED_MEMORY = "/dev/shm"  # noqa: S108


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    if sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}:
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)))


def confine_writes(folders: Iterable[str]) -> bool:
    """From now on this process writes in `folders` only; False where the kernel can't see to it."""
    known = version()
    if known < 1:
        return False
    libc = _libc()
    handled = _WRITE_FILE | _REMOVE_AND_MAKE
    handled |= (_REFER if known >= 2 else 0) | (_TRUNCATE if known >= 3 else 0)
    ruleset = _Ruleset(handled, 0, _SCOPE_SOCKETS_AND_SIGNALS if known >= 6 else 0)
    size = 24 if known >= 6 else 8
    fd = libc.syscall(_CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    if fd < 0:
        return False
    try:
        for folder in (*folders, _SHARED_MEMORY):
            _allow(libc, fd, folder, handled)
        for device in _DEVICES:
            _allow(libc, fd, device, handled & (_WRITE_FILE | _TRUNCATE))
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, fd, 0) == 0)
    finally:
        os.close(fd)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rule = _PathBeneath(access, parent)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(parent)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
