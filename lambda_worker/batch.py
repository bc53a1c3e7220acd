"""One batch from message to receipt: run the generator, collect what is whole, store it, say what happened.

Whatever goes wrong, what is whole is stored first, under its own indices, and a failure record with the cause
is written before the failure is reported. The receipt is written last of all.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from obstore.store import ObjectStore

from lambda_worker.collect import Collection, Sample, collect
from lambda_worker.failure import BatchFailed, from_exit
from lambda_worker.sandbox import Run, Sandbox, run_generator, sandbox
from lambda_worker.upload import Uploaded, upload
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import Cause, FailureRecord, Receipt, TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import compress
from vbvrdatafactory.s3 import records

log = logging.getLogger(__name__)

# Of the time that is left, this share is kept for storing what the generator made.
_UPLOAD_SHARE = 0.15


@dataclass(frozen=True)
class Delivery:
    """One attempt at one message, the seed it runs under and the seconds it has."""

    message: TaskMessage
    seed: int
    attempt: int
    seconds: float

    @property
    def wanted(self) -> tuple[int, ...]:
        """The indices to store."""
        return self.message.only_indices or tuple(range(*self.message.indices))


@dataclass(frozen=True)
class Worker:
    """Where generators are and how a bucket is reached.

    Args:
        generators: folder with a folder for each generator.
        open_bucket: gives the store for a bucket name, or for the default bucket where it is None.
    """

    generators: Path
    open_bucket: Callable[[str | None], ObjectStore]

    def process(self, delivery: Delivery) -> TaskResult:
        """Make and store one batch.

        Raises:
            BatchFailed: something asked for is not stored; the failure record is written.
        """
        message, started = delivery.message, time.monotonic()
        store = self.open_bucket(message.output_bucket)
        try:
            with sandbox() as box:
                uploaded, samples = self._make(delivery, store, box)
        except BatchFailed as failed:
            self._record_failure(store, delivery, failed)
            raise
        result = _result(message, uploaded, samples, time.monotonic() - started)
        self._record_receipt(store, delivery, result, samples)
        return result

    def _make(self, delivery: Delivery, store: ObjectStore, box: Sandbox) -> tuple[Uploaded, list[Sample]]:
        message = delivery.message
        run = run_generator(
            box,
            self.generators / message.type,
            num_samples=message.num_samples,
            seed=delivery.seed,
            seconds=delivery.seconds * (1 - _UPLOAD_SHARE),
        )
        found = collect(box.output, message)
        samples = [sample for sample in found.whole if sample.index in set(delivery.wanted)]
        uploaded = upload(store, message.type, samples, message.output_format, box.root)
        try:
            _check(run, found, delivery)
        except BatchFailed as failed:
            failed.stored = compress(sample.index for sample in samples)
            failed.stderr_tail = failed.stderr_tail or run.stderr_tail
            failed.exit_code = run.exit_code
            raise
        return uploaded, samples

    def _record_receipt(
        self, store: ObjectStore, delivery: Delivery, result: TaskResult, samples: list[Sample]
    ) -> None:
        message = delivery.message
        receipt = Receipt(
            message=message,
            seed=delivery.seed,
            stored=compress(sample.index for sample in samples),
            result=result.model_copy(update={"sample_ids": []}),
            attempt=delivery.attempt,
            generator_digest=generator_digest(self.generators / message.type),
            finished_at=datetime.now(UTC),
        )
        records.write(
            store, keys.receipt(keys.ReceiptKey(message.type, message.indices, message.salt)), receipt
        )

    def _record_failure(self, store: ObjectStore, delivery: Delivery, failed: BatchFailed) -> None:
        message = delivery.message
        record = FailureRecord(
            message=message,
            seed=delivery.seed,
            cause=failed.cause,
            detail=failed.detail,
            exit_code=failed.exit_code,
            stderr_tail=failed.stderr_tail,
            stored=failed.stored,
            attempt=delivery.attempt,
            generator_digest=generator_digest(self.generators / message.type),
            failed_at=datetime.now(UTC),
        )
        key = keys.FailureKey(message.type, message.indices, message.salt, delivery.attempt, failed.cause)
        write_failure(store, keys.failure(key), record)


def write_failure(store: ObjectStore, key: str, record: FailureRecord) -> None:
    """Write a failure record; where the bucket does not take it, the log has it and the failure goes on."""
    try:
        records.write(store, key, record)
    except Exception:
        log.exception("the failure record %s could not be written: %s", key, record.model_dump_json())


def generator_digest(folder: Path) -> str | None:
    """SHA-256 over the names and bytes of a generator's Python files and requirements; None without a folder."""
    if not folder.is_dir():
        return None
    digest = sha256()
    for path in sorted([*folder.rglob("*.py"), *folder.glob("requirements*.txt")]):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _check(run: Run, found: Collection, delivery: Delivery) -> None:
    """Raise unless everything wanted came out whole; how the process ended explains what is lacking."""
    try:
        found.check(delivery.wanted)
    except BatchFailed as lacking:
        if run.timed_out:
            raise BatchFailed(
                Cause.DEADLINE, f"the generator was stopped after {run.seconds:.0f} s; {lacking.detail}"
            ) from None
        if run.exit_code:
            raise from_exit(run.exit_code, run.stderr_tail) from None
        raise


def _result(message: TaskMessage, uploaded: Uploaded, samples: list[Sample], seconds: float) -> TaskResult:
    return TaskResult(
        generator=message.type,
        samples_uploaded=len(samples),
        sample_ids=[keys.sample_name(sample.task, sample.index) for sample in samples],
        tar_files=[key.removeprefix(keys.QUESTIONS) for key in uploaded.archives],
        files_uploaded=uploaded.files,
        bytes_uploaded=uploaded.bytes,
        seconds=round(seconds, 3),
    )
