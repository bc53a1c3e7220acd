"""What a batch used, and whether its generator repeats itself: what workers measure, and receipts hold."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Records lie where others may write, and sums of what they say decide what is spent: none is negative or without end.
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Seconds = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]


class _Measured(BaseModel):
    # A record grows, wherever in it.
    model_config = ConfigDict(frozen=True, extra="ignore")


class RunUsage(_Measured):
    """What one run of a generator used.

    Args:
        samples: how many it was asked for.
        seconds: from its start to its end.
        cpu_seconds: of all its processes that were waited for.
        memory_bytes: the most that all its processes had in memory at once, as seen ten times a second, or that one of
            them ever had.
        disk_bytes: the most that its folders held, output included.
        left_bytes: what it left in them besides its output.
        left_processes: how many of its processes were still there when it had ended; where the host gives it a PID
            namespace none can be.
    """

    samples: Count
    seconds: Seconds
    cpu_seconds: Seconds = 0.0
    memory_bytes: Count = 0
    disk_bytes: Count = 0
    left_bytes: Count = 0
    left_processes: Count = 0


class Host(_Measured):
    """What a batch ran on.

    Args:
        function_mb: memory of the Lambda function; 0 outside of Lambda.
        processor: its architecture, ``x86_64`` or ``arm64``; others as Python calls them.
        side_by_side: how many batches it makes at once.
    """

    function_mb: Count = 0
    processor: str = ""
    side_by_side: int = Field(default=1, ge=1, le=10_000)


class Usage(_Measured):
    """What one batch used.

    Args:
        runs: the runs of its generator: one, more where one crashed and was salvaged.
        seconds: from its message to its receipt, all runs and uploads included, but for what only certifies.
        certifying_seconds: what only certifies took.
        cpu_seconds: of its generator, and of what checks its pictures and videos.
        worker_bytes: the most memory of what is not the generator's: the worker, and what checks pictures and videos.
        objects: how many it put into the bucket, its receipt not counted.
        stored_bytes: their size.
        is_first: whether it was the first of its process, which has not loaded yet what it needs.
        host: what it ran on.
    """

    runs: tuple[RunUsage, ...] = Field(min_length=1)
    seconds: Seconds
    certifying_seconds: Seconds = 0.0
    cpu_seconds: Seconds = 0.0
    worker_bytes: Count = 0
    objects: Count = 0
    stored_bytes: Count = 0
    is_first: bool = False
    host: Host = Host()

    @property
    def billed_seconds(self) -> float:
        """All that it took."""
        return self.seconds + self.certifying_seconds


class Repetition(_Measured):
    """Whether a generator made the same samples again, from the seed of a batch that was just made.

    Args:
        runs: those that were made to see it.
        of_fewer: whether a run of fewer samples made the first ones of the batch again, byte by byte; None where there was
            only one sample, or no time.
        same: whether a run of as many made all again; None where that of fewer showed it, or there was no time.
        differing: the first index that was not the same in the last of these runs.
        problem: why a run made nothing to compare; empty where it did.
    """

    runs: tuple[RunUsage, ...] = ()
    of_fewer: bool | None = None
    same: bool | None = None
    differing: int | None = None
    problem: str = Field(default="", max_length=1000)

    @property
    def repeats(self) -> bool | None:
        """Whether the same seed and count give the same samples; None where nobody knows."""
        return True if self.of_fewer else self.same
