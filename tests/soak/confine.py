"""Runs a program of an image as AWS Lambda does: read-only but for /tmp, as nobody, without what its kernel lacks there.

``unshare --mount --pid --fork python -I confine.py ORDERS``, as root. No namespace can be made inside, no process traced and nothing
mounted; Landlock and /dev/shm are missing. It imports nothing but Python's own.
"""

import ctypes
import errno
import json
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path

_DEVICES = ("null", "zero", "full", "random", "urandom")
_NO_NEW_PRIVILEGES, _SECCOMP, _DROP_CAPABILITY, _FILTER = 38, 22, 24, 2
_CAPABILITIES = 64
# Architecture as the kernel tells it to a filter, and numbers of system calls.
_CALLS = {
    "x86_64": (0xC000003E, {"ptrace": 101, "mount": 165, "unshare": 272, "setns": 308, "read": 310, "write": 311}, 56),
    "aarch64": (0xC00000B7, {"mount": 40, "unshare": 97, "ptrace": 117, "setns": 268, "read": 270, "write": 271}, 220),
}  # fmt: skip
# Of clone3 a filter can't see the flags; the C library then falls back to clone. The others are Landlock's.
_UNKNOWN = (435, 444, 445, 446)
_NEW_NAMESPACES = 0x7E020000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000


def main() -> None:
    """Mount, give up everything, and be the parent of all that is left behind until the program has ended."""
    orders = json.loads(sys.argv[1])
    mount(Path(orders["root"]), orders["user"], orders["temp_mb"])
    os.chroot(orders["root"])
    child = os.fork()
    if not child:
        run(orders)
    ended, status = 0, 0
    while ended != child:
        ended, status = os.wait()
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def mount(root: Path, user: int, temp_mb: int) -> None:
    """Have the root read-only, with a /tmp, a /proc and a few devices of its own."""
    _mount("--make-rprivate", "/")
    _mount("--bind", root, root)
    _mount("-t", "tmpfs", "-o", f"mode=0700,uid={user},size={temp_mb}m", "tmpfs", root / "tmp")
    _mount("-t", "proc", "proc", root / "proc")
    _mount("-t", "tmpfs", "-o", "mode=0755,size=1m", "tmpfs", root / "dev")
    for name in _DEVICES:
        (root / "dev" / name).touch()
        _mount("--bind", f"/dev/{name}", root / "dev" / name)
    _mount("-o", "remount,bind,ro", root / "dev")
    _mount("-o", "remount,bind,ro", root)


def run(orders: dict) -> None:
    """Become the program."""
    library = ctypes.CDLL(None, use_errno=True)
    os.chdir(orders["folder"])
    for capability in range(_CAPABILITIES):
        library.prctl(_DROP_CAPABILITY, capability, 0, 0, 0)
    os.setgroups([])
    os.setresgid(*[orders["group"]] * 3)
    os.setresuid(*[orders["user"]] * 3)
    _filter_calls(library)
    os.execve(orders["command"][0], orders["command"], orders["environment"])


def _filter_calls(library: ctypes.CDLL) -> None:
    architecture, refused, clone = _CALLS[platform.machine()]
    program = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
        (_LOAD, 0, 0, 0),
        *_answer(refused.values(), errno.EPERM),
        *_answer(_UNKNOWN, errno.ENOSYS),
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, 16),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    header = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    for option, value, more in ((_NO_NEW_PRIVILEGES, 1, 0), (_SECCOMP, _FILTER, ctypes.addressof(header))):
        if library.prctl(option, value, ctypes.c_void_p(more), 0, 0):
            raise OSError(ctypes.get_errno(), f"prctl {option}")


def _answer(calls: object, error: int) -> list[tuple[int, int, int, int]]:
    """Steps that answer these calls with an error."""
    return [step for call in calls for step in ((_EQUAL, 0, 1, call), (_RETURN, 0, 0, _ERROR | error))]


def _mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
