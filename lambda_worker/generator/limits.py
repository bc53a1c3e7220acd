"""How much a generator may use before it is stopped, while the worker lives to say so."""

import os
import shutil
import tempfile
from dataclasses import dataclass

_MB = 1024 * 1024
# What the worker itself and its uploads need of a Lambda's memory.
_WORKER_BYTES = 256 * _MB


@dataclass(frozen=True)
class Limits:
    """Budgets of one run of a generator.

    Args:
        memory_bytes: resident memory of the generator and everything it started.
        disk_bytes: what its folders may hold.
        file_bytes: the largest single file it may write.
        open_files: files each of its processes may have open.
    """

    memory_bytes: int = 2560 * _MB
    disk_bytes: int = 2048 * _MB
    file_bytes: int = 512 * _MB
    open_files: int = 1024

    @classmethod
    def of_host(cls, memory_bytes: int, *, side_by_side: int = 1) -> "Limits":
        """An equal share of `memory_bytes` and of the temp folder's free space for each of `side_by_side` runs."""
        free = shutil.disk_usage(tempfile.gettempdir()).free
        memory = max(memory_bytes - _WORKER_BYTES, memory_bytes // 2)
        disk = int(free * 0.9) // side_by_side
        return cls(memory // side_by_side, disk, min(cls.file_bytes, disk))


def lambda_memory_bytes() -> int | None:
    """The memory of the Lambda this runs in; None elsewhere."""
    size = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    return int(size) * _MB if size else None
