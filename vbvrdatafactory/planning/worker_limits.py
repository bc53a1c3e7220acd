"""What one batch may take, and how many are made at once: the settings of the function that makes them."""

from typing import NamedTuple

from vbvrdatafactory.core.usage import Host
from vbvrdatafactory.planning.batches import MB_PER_PROCESSOR
from vbvrdatafactory.planning.prices import Processor

# What the worker keeps of a function's memory for itself, as `lambda_worker.generator.limits` does.
_WORKER_MB = 256
# What is left of a limit for what was not foreseen.
_MARGIN = 0.75
# A function's share of the time that it keeps for storing what the generator made, and its own margin.
_TIME_MARGIN = 0.6


class WorkerLimits(NamedTuple):
    """The settings of the workers.

    Args:
        memory_mb: of the function.
        timeout_seconds: of the function.
        temp_mb: size of its /tmp.
        concurrency: how many functions run at once at most.
        side_by_side: batches of one invocation, made at once.
        processor: its architecture.
        ramp_per_minute: how many more functions run each minute, while messages wait; 0 where all start at once.
        is_known: whether these are the deployed function's, not assumed.
    """

    memory_mb: int = MB_PER_PROCESSOR
    timeout_seconds: float = 900.0
    temp_mb: int = 4096
    concurrency: int = 990
    side_by_side: int = 1
    processor: Processor = "x86_64"
    ramp_per_minute: int = 300
    is_known: bool = False

    @property
    def batch_memory_bytes(self) -> float:
        """What a generator may have in memory, with a margin."""
        share = max(self.memory_mb - _WORKER_MB, self.memory_mb / 2) / self.side_by_side
        return share * 1024 * 1024 * _MARGIN

    @property
    def batch_disk_bytes(self) -> float:
        """What the folders of a batch may hold, with a margin."""
        return self.temp_mb * 1024 * 1024 / self.side_by_side * 0.9 * _MARGIN

    @property
    def batch_seconds(self) -> float:
        """How long a batch may take, with a margin."""
        return self.timeout_seconds * _TIME_MARGIN

    def slower_than(self, host: Host, cores: float) -> float:
        """How many times as long a batch takes here as on `host`, where it keeps so many processors busy."""
        there = (
            host.function_mb / MB_PER_PROCESSOR / host.side_by_side if host.function_mb else max(1.0, cores)
        )
        here = self.memory_mb / MB_PER_PROCESSOR / self.side_by_side
        needed = max(0.05, cores)
        return max(1.0, min(needed, there) / here)

    def describe(self) -> str:
        """In one line."""
        known = "" if self.is_known else ", assumed: no deployed function was found"
        return (
            f"{self.memory_mb:,} MB, {self.processor}, {self.timeout_seconds / 60:g} min, {self.temp_mb:,} MB of /tmp, "
            f"{self.concurrency:,} at once{known}"
        )
