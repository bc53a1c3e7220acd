"""What batches used, by the ledger: the figures that certificates, forecasts and reports of costs are made of."""

from datetime import datetime
from typing import NamedTuple


class MeasuredBatch(NamedTuple):
    """One batch, and what it used.

    Args:
        samples: how many its generator was asked for.
        stored: how many of these it stored, as far as they are still the ones in force.
        seconds: it took, without what only certified.
        certifying_seconds: what only certified took.
        cpu_seconds: of its generator, and of what checks pictures and videos.
        memory_bytes: the most its generator had in memory.
        worker_bytes: the most that everything else had.
        disk_bytes: the most that its folders held.
        objects: that it put into the bucket, without its receipt.
        stored_bytes: their size.
        is_first: whether it was its process's first.
        function_mb: memory of the Lambda function; 0 outside of Lambda.
        side_by_side: how many batches its worker made at once.
        processor: its architecture.
        code: digest of its generator's code.
        environment: digest of its environment; empty where the worker's own Python ran it.
        worker: version of its worker.
        made_at: when it was done.
    """

    samples: int
    stored: int
    seconds: float
    certifying_seconds: float
    cpu_seconds: float
    memory_bytes: int
    worker_bytes: int
    disk_bytes: int
    objects: int
    stored_bytes: int
    is_first: bool
    function_mb: int
    side_by_side: int
    processor: str
    code: str
    environment: str
    worker: str
    made_at: datetime

    @property
    def gb_seconds(self) -> float:
        """Of Lambda, all that it took; outside of Lambda as on a function of one processor."""
        mb = self.function_mb or MB_PER_PROCESSOR
        return (self.seconds + self.certifying_seconds) * mb / 1024 / self.side_by_side


# Lambda gives one processor for so much memory.
MB_PER_PROCESSOR = 1769
