"""Writes a batch's receipt or failure record."""

import logging
import os
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from lambda_worker.delivery import Delivery
from lambda_worker.failure import BatchFailed
from lambda_worker.generator.environments import Environment
from lambda_worker.samples.collect import Sample
from lambda_worker.samples.upload import Uploaded, failed
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import TaskResult
from vbvrdatafactory.core.ranges import compress
from vbvrdatafactory.core.records import FailureRecord, MadeBy, Profile, Receipt, StartedRecord
from vbvrdatafactory.core.usage import Repetition, Usage
from vbvrdatafactory.files import code_digest
from vbvrdatafactory.s3 import records

log = logging.getLogger(__name__)


class WorkerName(NamedTuple):
    """Where to look for what a worker did.

    Args:
        worker: the Lambda function, or host and process.
        log_stream: of the function's log group; empty outside of Lambda.
    """

    worker: str
    log_stream: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "WorkerName":
        """That of this process, which has this environment."""
        function = environment.get("AWS_LAMBDA_FUNCTION_NAME")
        if function:
            return cls(f"function {function}", environment.get("AWS_LAMBDA_LOG_STREAM_NAME", ""))
        return cls(f"process {os.getpid()} of {socket.gethostname()}")


class Origin(NamedTuple):
    """What made a batch.

    Args:
        code: digest of the generator's code; None where it has none.
        made_by: commit, environment and what else the samples depend on; None where nothing could run.
    """

    code: str | None
    made_by: MadeBy | None

    def is_same(self, other: "Origin") -> bool:
        """Whether both are the same code in the same environment; one that is not known is the same as any."""
        mine, its = (made.environment if made else "" for made in (self.made_by, other.made_by))
        return self.code == other.code and (mine == its or not self.made_by)

    @classmethod
    def of(cls, folder: Path, environment: Environment | None) -> "Origin":
        """That of the generator in `folder`, in that environment."""
        code = code_digest(folder)
        return cls(code, environment.made_by(code) if environment else None)


class StoredBatch(NamedTuple):
    """What a receipt tells of a batch.

    Args:
        samples: those that were uploaded.
        uploaded: what the bucket took of each.
        result: what was uploaded, counted.
        profiles: of their videos, by index.
        usage: what it used.
        repetition: whether its generator repeats itself; None where that was not to be seen.
    """

    samples: Sequence[Sample]
    uploaded: Uploaded
    result: TaskResult
    profiles: Mapping[int, Profile]
    usage: Usage
    repetition: Repetition | None = None


def record_receipt(
    store: ObjectStore, delivery: Delivery, batch: StoredBatch, origin: Origin, *, is_partial: bool = False
) -> None:
    """Write the receipt of a batch, beside those of earlier times that the run was made.

    Args:
        store: the bucket.
        delivery: the batch that is done.
        batch: what was stored.
        origin: what made it.
        is_partial: whether the batch failed, and these are what was stored all the same.

    Raises:
        BatchFailed: the bucket did not take it. Without a receipt nobody could tell what its samples are.
    """
    message, now = delivery.message.plain, datetime.now(UTC)
    samples, profiles = batch.samples, batch.profiles
    name = keys.receipt_name(now, uuid4().hex[:8])
    key = keys.ReceiptKey(message.type, message.indices, message.salt, delivery.seed, name, is_partial)
    task, stored = samples[0].task, batch.uploaded.samples
    usual = Counter(profiles.values()).most_common(1)[0][0] if profiles else None
    receipt = Receipt(
        message=message,
        seed=delivery.seed,
        python_hash_seed=delivery.python_hash_seed,
        task=task,
        tasks={sample.index: sample.task for sample in samples if sample.task != task},
        stored=compress(sample.index for sample in samples),
        digests={index: one.digest for index, one in stored.items()},
        metadata_digests={index: one.metadata for index, one in stored.items() if one.metadata},
        objects={index: one.objects for index, one in stored.items() if one.objects},
        archives=batch.uploaded.archives,
        profile=usual,
        profiles={index: one for index, one in profiles.items() if one != usual},
        result=batch.result.model_copy(update={"sample_ids": []}),
        attempt=delivery.attempt,
        generator_digest=origin.code,
        made_by=origin.made_by,
        # The record of the failure has it: what is in both would count twice.
        usage=None if is_partial else batch.usage,
        repetition=batch.repetition,
        finished_at=now,
    )
    try:
        # A receipt has a digest and five ETags a sample: without spaces it is a third smaller.
        records.write_text(store, keys.receipt(key), receipt.model_dump_json() + "\n")
    except (BaseError, OSError, ValueError) as error:
        raise failed(error) from error


def record_failure(store: ObjectStore, delivery: Delivery, failed: BatchFailed, origin: Origin) -> None:
    """Write why a batch failed, and what failed to make it."""
    message = delivery.message
    record = FailureRecord(
        message=message,
        seed=delivery.seed,
        python_hash_seed=delivery.python_hash_seed,
        cause=failed.cause,
        detail=failed.detail,
        exit_code=failed.exit_code,
        stderr_tail=failed.stderr_tail,
        stored=failed.stored,
        pictures=failed.pictures,
        attempt=delivery.attempt,
        generator_digest=origin.code,
        made_by=origin.made_by,
        usage=failed.usage,
        failed_at=datetime.now(UTC),
    )
    key = keys.FailureKey(message.type, message.indices, message.salt, delivery.attempt, failed.cause)
    write(store, keys.failure(key), record)


def record_start(store: ObjectStore, delivery: Delivery, whom: "WorkerName") -> None:
    """Write who begins an attempt: if it is killed, nobody can say so later."""
    message = delivery.message
    record = StartedRecord(
        attempt=delivery.attempt,
        worker=whom.worker,
        log_stream=whom.log_stream,
        started_at=datetime.now(UTC),
    )
    key = keys.StartedKey(message.type, message.indices, message.salt, delivery.attempt)
    write(store, keys.started(key), record)


def write(store: ObjectStore, key: str, record: FailureRecord | StartedRecord) -> None:
    """Write a record of a failure or a start; where the bucket does not take it, it is logged, and nothing else changes."""
    try:
        records.write(store, key, record)
    except Exception:
        log.exception("%s could not be written: %s", key, record.model_dump_json())
