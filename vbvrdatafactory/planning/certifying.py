"""Makes the certificate of a generator from the records of its first batches, and sharpens it by those that follow."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.certificates import Certificate, Costs, Line, Point
from vbvrdatafactory.core.records import Band, FailureRecord, Receipt
from vbvrdatafactory.core.usage import Host, RunUsage
from vbvrdatafactory.planning.batches import MeasuredBatch
from vbvrdatafactory.planning.distinct import Distinct
from vbvrdatafactory.planning.lines import Measured, fit


class Proof(NamedTuple):
    """The records that a certificate is made from.

    Args:
        receipts: of batches that were made, with what they used.
        failures: of batches that failed.
        batches: what the ledger has of the generator's batches.
        distinct: how many of its samples differ.
        band: what its ground-truth gate holds its samples to.
    """

    receipts: Sequence[Receipt]
    failures: Sequence[FailureRecord] = ()
    batches: Sequence[MeasuredBatch] = ()
    distinct: Distinct = Distinct()
    band: Band | None = None


def certify(generator: str, proof: Proof, at: datetime) -> Certificate | None:
    """The certificate of a generator; None where no record says how its batches went.

    Args:
        generator: its name.
        proof: records of its first batches, all by the same code in the same environment.
        at: the time now.
    """
    measured = [receipt for receipt in proof.receipts if receipt.usage]
    if not measured and not proof.failures:
        return None
    latest: Receipt | FailureRecord = measured[-1] if measured else proof.failures[-1]
    repetitions = [receipt.repetition for receipt in measured if receipt.repetition]
    runs = [run for receipt in measured if receipt.usage for run in receipt.usage.runs]
    causes = {failure.cause for failure in proof.failures}
    failed = proof.failures[-1] if proof.failures else None
    made_by = latest.made_by
    certificate = Certificate(
        generator=generator,
        code=latest.generator_digest or "",
        environment=made_by.environment if made_by else "",
        worker=made_by.worker if made_by else "",
        passed=bool(measured),
        failed=len(proof.failures),
        made=len(measured),
        cause=causes.pop() if len(causes) == 1 else None,
        problem=failed.detail if failed else "",
        stderr_tail=failed.stderr_tail if failed else "",
        files=_files(measured),
        profile=next((receipt.profile for receipt in measured if receipt.profile), None),
        repeats=_all(one.repeats for one in repetitions),
        of_fewer=_all(one.of_fewer for one in repetitions),
        left_bytes=max((run.left_bytes // max(1, run.samples) for run in runs), default=0),
        left_processes=max((run.left_processes for run in runs), default=0),
        band=proof.band,
        costs=Costs(host=measured[-1].usage.host if measured and measured[-1].usage else Host()),
        certified_at=at,
    )
    points = [*_points_of_receipts(measured)]
    return sharpen(certificate.model_copy(update={"points": tuple(points)}), proof)


def sharpen(certificate: Certificate, proof: Proof) -> Certificate:
    """The certificate with what the ledger has since: what batches take, and how many samples differ."""
    batches = [
        batch
        for batch in proof.batches
        if (batch.code, batch.environment) == (certificate.code, certificate.environment)
    ]
    host = _host(batches[-1]) if batches else certificate.costs.host
    # On another host the same runs take another time.
    is_same_host = certificate.costs.host == host
    certified = [point for point in certificate.points if not point.is_whole] if is_same_host else []
    whole = [*_points_of_batches([batch for batch in batches if _host(batch) == host])]
    points = [*certified, *(whole or [point for point in certificate.points if point.is_whole])]
    distinct = proof.distinct
    return certificate.model_copy(
        update={
            "points": tuple(points),
            "costs": _costs(points, batches, host) if points else certificate.costs,
            "known": distinct.known,
            "distinct": distinct.distinct,
            "can_make": distinct.can_make,
        }
    )


def _all(said: Iterable[bool | None]) -> bool | None:
    """Whether all that is known is so; None where nothing is."""
    known = [one for one in said if one is not None]
    return all(known) if known else None


def _files(receipts: Iterable[Receipt]) -> tuple[str, ...]:
    names = [{one.name for one in objects} for receipt in receipts for objects in receipt.objects.values()]
    return tuple(sorted(set.intersection(*names))) if names else ()


def _points_of_receipts(receipts: Iterable[Receipt]) -> Iterator[Point]:
    """The runs that only certified, as batches: with their share of what their batch took besides its generator."""
    for receipt in receipts:
        usage = receipt.usage
        if usage is None:
            continue
        own = sum(run.seconds for run in usage.runs)
        beside = max(0.0, usage.seconds - own) / receipt.message.num_samples
        cpu_beside = (
            max(0.0, usage.cpu_seconds - sum(run.cpu_seconds for run in usage.runs))
            / receipt.message.num_samples
        )
        yield _point(receipt, usage.runs[-1], usage.seconds, usage.cpu_seconds, is_whole=True)
        for run in receipt.repetition.runs if receipt.repetition else ():
            if not run.samples:
                continue
            yield _point(
                receipt,
                run,
                run.seconds + beside * run.samples,
                run.cpu_seconds + cpu_beside * run.samples,
                is_whole=False,
            )


def _point(receipt: Receipt, run: RunUsage, seconds: float, cpu_seconds: float, *, is_whole: bool) -> Point:
    usage, count = receipt.usage, receipt.message.num_samples
    return Point(
        samples=count if is_whole else run.samples,
        seconds=seconds,
        seconds_squared=seconds**2,
        cpu_seconds=cpu_seconds,
        memory_bytes=run.memory_bytes,
        disk_bytes=run.disk_bytes,
        stored_bytes=usage.stored_bytes if usage and is_whole else 0,
        objects=usage.objects if usage and is_whole else 0,
        is_whole=is_whole,
    )


def _points_of_batches(batches: Iterable[MeasuredBatch]) -> Iterator[Point]:
    """A point for each length of batches; of a process's first batch only where there is no other."""
    by_length: dict[int, list[MeasuredBatch]] = defaultdict(list)
    for batch in batches:
        if batch.stored == batch.samples:
            by_length[batch.samples].append(batch)
    warm = {length: [one for one in found if not one.is_first] for length, found in by_length.items()}
    has_warm = any(warm.values())
    for length in sorted(by_length):
        found = warm[length] if has_warm else by_length[length]
        if found:
            yield _mean(length, found)


def _mean(length: int, batches: Sequence[MeasuredBatch]) -> Point:
    count = len(batches)
    return Point(
        samples=length,
        batches=count,
        seconds=sum(one.seconds for one in batches) / count,
        seconds_squared=sum(one.seconds**2 for one in batches) / count,
        cpu_seconds=sum(one.cpu_seconds for one in batches) / count,
        memory_bytes=max(one.memory_bytes for one in batches),
        disk_bytes=max(one.disk_bytes for one in batches),
        stored_bytes=sum(one.stored_bytes for one in batches) / count,
        objects=sum(one.objects for one in batches) / count,
    )


def _costs(points: Sequence[Point], batches: Sequence[MeasuredBatch], host: Host) -> Costs:
    whole = [point for point in points if point.is_whole]
    stored = sum(point.stored_bytes * point.batches for point in whole)
    samples = sum(point.samples * point.batches for point in whole)
    # An archive is one object, whatever its samples are: it says nothing of files.
    as_files = [point for point in whole if point.objects >= point.samples]
    of_files = sum(point.samples * point.batches for point in as_files)
    objects = sum(point.objects * point.batches for point in as_files)
    return Costs(
        seconds=fit(Measured(p.samples, p.seconds, p.seconds_squared, p.batches) for p in points),
        cpu_seconds=fit(Measured(p.samples, p.cpu_seconds, p.cpu_seconds**2, p.batches) for p in points),
        memory_bytes=fit(Measured(p.samples, p.memory_bytes, p.memory_bytes**2, 1) for p in points),
        disk_bytes=fit(Measured(p.samples, p.disk_bytes, p.disk_bytes**2, 1) for p in points),
        stored_bytes=Line(each=stored / samples, batches=len(whole)) if samples else Line(),
        objects=objects / of_files if of_files else 0.0,
        worker_bytes=max((batch.worker_bytes for batch in batches), default=0),
        largest=max((point.samples for point in points), default=0),
        host=host,
    )


def _host(batch: MeasuredBatch) -> Host:
    return Host(function_mb=batch.function_mb, processor=batch.processor, side_by_side=batch.side_by_side)


def is_due(certificate: Certificate | None, code: str | None, environment: str | None, worker: str) -> bool:
    """Whether a generator has to be certified again.

    Args:
        certificate: its latest; None where it has none.
        code: digest of its code now; None where that is not known.
        environment: digest of its environment now; None where that is not known.
        worker: version of the worker that made the latest batch of any generator; empty where that is not known.
    """
    if certificate is None or not certificate.passed or not certificate.is_of(code, environment):
        return True
    return bool(worker and certificate.worker and worker != certificate.worker)


def why_failed(certificate: Certificate) -> str:
    """Why a generator was not certified, in one line."""
    cause: Cause | str = certificate.cause or "several causes"
    return f"all {certificate.failed} certifying batches failed: {cause}; {certificate.problem}"
