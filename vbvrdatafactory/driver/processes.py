"""Which process holds a dataset lock, and whether a process of this machine has ended."""

import os
import socket
from contextlib import suppress
from pathlib import Path

import psutil

from vbvrdatafactory.control.dataset_lock import LockClaim, LockHolder

# The system clock may be set while a process runs, and the start times of all processes change with it.
_SAME_START_SECONDS = 2.0


def this_process() -> LockHolder:
    """The process that calls this, as another one on this machine would identify it."""
    return LockHolder(_machine(), os.getpid(), psutil.Process().create_time())


def has_ended(claim: LockClaim) -> bool:
    """Whether the process that made a claim ran on this machine and has ended; False for another machine's."""
    if claim.holder.machine != _machine():
        return False
    try:
        process = psutil.Process(claim.holder.pid)
        same = abs(process.create_time() - claim.holder.started) < _SAME_START_SECONDS
        return not same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _machine() -> str:
    """The host name, and on Linux the process namespace: containers of one name number their processes apart.

    Lambda's machines have one name and one namespace; there the log stream tells them apart.
    """
    if stream := os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"):
        return f"lambda {stream}"
    namespace = ""
    with suppress(OSError):
        namespace = f"/{Path('/proc/self/ns/pid').stat().st_ino}"
    return f"{socket.gethostname()}{namespace}"
