"""How many batches a machine can take side by side: its usable cores, bounded by its memory.

In a container both may be less than the machine has, and only the control group says so.
"""

import os
from pathlib import Path

import psutil

# A hundred samples of a heavy generator that keeps them all in memory.
BATCH_BYTES = 1536 * 1024 * 1024

_CGROUP = Path("/sys/fs/cgroup")


def default_concurrency() -> int:
    """Batches at a time on this machine."""
    return batches_at_a_time(usable_cores(), usable_memory())


def batches_at_a_time(cores: float, memory_bytes: int) -> int:
    """One for each whole core, as far as memory lasts; never none.

    >>> gb = 1024**3
    >>> [batches_at_a_time(8, 64 * gb), batches_at_a_time(8, 8 * gb), batches_at_a_time(0.5, gb)]
    [8, 5, 1]
    """
    return max(1, min(int(cores), memory_bytes // BATCH_BYTES))


def usable_cores(cgroup: Path = _CGROUP) -> float:
    """The cores this process may run on, within the quota of its control group."""
    # Not on macOS.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    return min(cores, int(quota) / int(period)) if quota.isdigit() and period.isdigit() else cores


def usable_memory(cgroup: Path = _CGROUP) -> int:
    """Bytes of memory that are free for batches, within the limit of the control group."""
    free = psutil.virtual_memory().available
    limit, used = _read(cgroup / "memory.max"), _read(cgroup / "memory.current")
    return min(free, int(limit) - int(used)) if limit.isdigit() and used.isdigit() else free


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
