"""The certificate of a generator: what its first samples proved about it, and what each batch of it takes."""

from pydantic import BaseModel, ConfigDict, Field

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.contract import VIDEO
from vbvrdatafactory.core.humanize import format_bytes, format_count
from vbvrdatafactory.core.names import Text
from vbvrdatafactory.core.records import Band, Profile
from vbvrdatafactory.core.schema import Time, Versioned
from vbvrdatafactory.core.usage import Amount, Count, Host, Seconds

# A generator that leaves no more than this in its temporary folders for each sample leaves nothing worth a word.
_LEFT_BYTES = 1024 * 1024


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Line(_Part):
    """What a batch takes, as a straight line in its number of samples.

    Args:
        start: what a batch takes however few its samples are.
        each: what each sample adds.
        spread: standard deviation of a batch about the line, as a share of it.
        batches: how many batches and runs it was fitted to.
    """

    start: Amount = 0.0
    each: Amount = 0.0
    spread: Amount = 0.0
    batches: Count = 0

    def of(self, samples: int) -> float:
        """What a batch of so many samples takes."""
        return self.start + self.each * samples

    def scaled(self, factor: float) -> "Line":
        """The same line, `factor` times as high."""
        return self.model_copy(update={"start": self.start * factor, "each": self.each * factor})


class Costs(_Part):
    """What the batches of one generator take.

    Args:
        seconds: of a whole batch, from its message to its receipt.
        cpu_seconds: processor time of a whole batch.
        memory_bytes: the most that the generator has in memory.
        disk_bytes: the most that its folders hold, output included.
        stored_bytes: what is put into the bucket.
        objects: how many objects are put for a sample; 0 in archives.
        worker_bytes: the most memory of everything but the generator.
        largest: samples of the largest run that was measured.
        host: what it was measured on.
    """

    seconds: Line = Line()
    cpu_seconds: Line = Line()
    memory_bytes: Line = Line()
    disk_bytes: Line = Line()
    stored_bytes: Line = Line()
    objects: Amount = 0.0
    worker_bytes: Count = 0
    largest: Count = 0
    host: Host = Host()


class Point(_Part):
    """Measured batches, or runs, of one length: what they took on average.

    Args:
        samples: how many each was asked for.
        batches: how many they were.
        seconds, cpu_seconds, stored_bytes, objects: on average.
        seconds_squared: the mean square of `seconds`.
        memory_bytes, disk_bytes: the most of any.
        is_whole: whether they were whole batches; runs that only certified stored nothing.
    """

    samples: int = Field(ge=1, le=10**9)
    batches: int = Field(default=1, ge=1, le=10**9)
    seconds: Seconds
    seconds_squared: float = Field(ge=0, allow_inf_nan=False)
    cpu_seconds: Seconds = 0.0
    memory_bytes: Count = 0
    disk_bytes: Count = 0
    stored_bytes: Amount = 0.0
    objects: Amount = 0.0
    is_whole: bool = True


class Certificate(Versioned):
    """What the first samples of a generator proved, for one code, one environment and one worker.

    Args:
        generator: its name.
        code: digest of its code; empty where that is not known.
        environment: digest of its environment; empty where the worker's own Python ran it.
        worker: version of the worker that made them.
        passed: whether it made what it was asked for. One that did not is sent no further batches.
        failed: how many of its certifying batches failed.
        made: how many did not.
        cause: why those failed; None where none did, or for several causes.
        problem: the latest failure in one line.
        stderr_tail: the end of what its process wrote to stderr then.
        files: names of the files that every sample had; empty where they lie in archives.
        profile: rate, length and size of its videos, where most are alike.
        repeats: whether the same seed and count made the same samples; None where nobody knows.
        of_fewer: whether a run of fewer made the first of them.
        left_bytes: what it left in its temporary folders, for each sample.
        left_processes: how many processes it left.
        known, distinct: samples whose content is known, and how many of these differ.
        can_make: distinct samples that it can make at least, by an estimate; None where none was seen twice.
        band: what the ground-truth gate holds its samples to; None where that is not settled.
        costs: what a batch takes.
        points: what that was fitted to.
        certified_at: when it was certified.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    generator: str
    code: str = ""
    environment: str = ""
    worker: str = ""
    passed: bool
    failed: Count = 0
    made: Count = 0
    cause: Cause | None = None
    problem: Text = ""
    stderr_tail: Text = ""
    files: tuple[str, ...] = ()
    profile: Profile | None = None
    repeats: bool | None = None
    of_fewer: bool | None = None
    left_bytes: Count = 0
    left_processes: Count = 0
    known: Count = 0
    distinct: Count = 0
    can_make: Count | None = None
    band: Band | None = None
    costs: Costs = Costs()
    points: tuple[Point, ...] = Field(default=(), max_length=10_000)
    certified_at: Time

    def is_of(self, code: str | None, environment: str | None) -> bool:
        """Whether it is about this code in this environment; of what is not known, about any."""
        return code in (None, self.code) and environment in (None, self.environment)

    def remarks(self, samples: int | None = None) -> list[str]:
        """What a person should know of the generator, a phrase each.

        Args:
            samples: how many distinct ones it is to make; None where that is not asked.
        """
        found = []
        if self.passed and self.failed:
            found.append(
                f"{self.failed} of {self.failed + self.made} certifying batches failed ({self.cause or 'several causes'}: "
                f"{self.problem})"
            )
        if self.passed and VIDEO not in self.files and self.files and self.profile is None:
            found.append("makes no video")
        if self.repeats is False:
            found.append("does not repeat itself: the same seed makes other samples each time")
        elif self.of_fewer is False:
            found.append("its samples depend on how many are asked for")
        if self.distinct < self.known:
            found.append(self._few(samples))
        if self.left_processes:
            found.append(f"leaves {format_count(self.left_processes, 'process', 'processes')} running")
        if self.left_bytes > _LEFT_BYTES:
            found.append(f"leaves {format_bytes(self.left_bytes)} a sample in its temporary folders")
        return found

    def _few(self, samples: int | None) -> str:
        seen = f"{self.distinct:,} of {self.known:,} samples are distinct"
        if self.can_make is None:
            return seen
        too_few = samples is not None and self.can_make < samples
        return f"{seen}; it can make {self.can_make:,} at least (an estimate){f', {samples:,} are asked for' * too_few}"
