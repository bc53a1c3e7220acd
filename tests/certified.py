"""Records as workers leave them that measure, and certificates of them."""

from datetime import UTC, datetime

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.certificates import Certificate, Costs, Line
from vbvrdatafactory.core.contract import ALL_FIVE
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import FailureRecord, MadeBy, Profile, Receipt, StoredObject
from vbvrdatafactory.core.usage import Host, Repetition, RunUsage, Usage

AT = datetime(2026, 11, 1, tzinfo=UTC)
LAMBDA = Host(function_mb=1769, processor="x86_64")
PROFILE = Profile(16.0, 48, 256, 256)


def receipt(
    samples: int,
    *,
    start: int = 0,
    seconds: float = 2.0,
    beside: float = 0.1,
    memory: int = 120_000_000,
    disk: int = 1_000_000,
    left: int = 0,
    left_processes: int = 0,
    files: tuple[str, ...] = ALL_FIVE,
    profile: Profile | None = PROFILE,
    repetition: Repetition | None = None,
    generator: str = "G-1_x",
    host: Host = LAMBDA,
) -> Receipt:
    """A receipt of a batch that took so much."""
    indices = IndexRange(start, start + samples)
    run = RunUsage(
        samples=samples,
        seconds=seconds - beside,
        cpu_seconds=seconds - beside,
        memory_bytes=memory,
        disk_bytes=disk,
        left_bytes=left,
        left_processes=left_processes,
    )
    return Receipt(
        message=TaskMessage(type=generator, num_samples=samples, start_index=start, seed=1),
        seed=1,
        stored=[indices],
        objects={
            index: tuple(StoredObject(name, 10_000, "e") for name in files) for index in range(*indices)
        },
        profile=profile,
        result=TaskResult(generator=generator, samples_uploaded=samples, sample_ids=[]),
        attempt=1,
        generator_digest="code",
        made_by=MadeBy(environment="env", worker="1 abc"),
        usage=Usage(
            runs=(run,),
            seconds=seconds,
            cpu_seconds=seconds,
            worker_bytes=150_000_000,
            objects=len(files) * samples,
            stored_bytes=10_000 * len(files) * samples,
            host=host,
        ),
        repetition=repetition,
        finished_at=AT,
    )


def failure(cause: Cause, detail: str, *, generator: str = "G-1_x") -> FailureRecord:
    """A record of a batch that failed."""
    return FailureRecord(
        message=TaskMessage(type=generator, num_samples=8, seed=1),
        cause=cause,
        detail=detail,
        stderr_tail=f"stderr of {detail}",
        attempt=1,
        generator_digest="code",
        made_by=MadeBy(environment="env", worker="1 abc"),
        failed_at=AT,
    )


def certificate(
    generator: str = "G-1_x",
    *,
    start: float = 1.0,
    each: float = 0.1,
    memory_each: float = 1_000_000,
    disk_each: float = 100_000,
    batches: int = 20,
    spread: float = 0.02,
    largest: int = 100,
    host: Host = LAMBDA,
    **otherwise: object,
) -> Certificate:
    """A certificate of a generator whose batches take so much."""
    costs = Costs(
        seconds=Line(start=start, each=each, spread=spread, batches=batches),
        cpu_seconds=Line(start=start, each=each, batches=batches),
        memory_bytes=Line(start=100_000_000, each=memory_each, batches=2),
        disk_bytes=Line(each=disk_each, batches=2),
        stored_bytes=Line(each=50_000, batches=2),
        objects=5,
        worker_bytes=150_000_000,
        largest=largest,
        host=host,
    )
    fields: dict[str, object] = {
        "generator": generator,
        "passed": True,
        "code": "code",
        "environment": "env",
        "costs": costs,
        "certified_at": AT,
        **otherwise,
    }
    return Certificate.model_validate(fields)
