"""Writes a batch's receipt or failure record. A record that can't be written fails no batch."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from obstore.store import ObjectStore

from lambda_worker.delivery import Delivery
from lambda_worker.failure import BatchFailed
from lambda_worker.generator.environments import Environment
from lambda_worker.samples.collect import Sample
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import FailureRecord, MadeBy, Receipt, TaskResult
from vbvrdatafactory.core.ranges import compress
from vbvrdatafactory.files import code_digest
from vbvrdatafactory.s3 import records

log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """What made a batch.

    Args:
        code: digest of the generator's code; None where it has none.
        made_by: commit, environment and what else the samples depend on; None where nothing could run.
    """

    code: str | None
    made_by: MadeBy | None

    @classmethod
    def of(cls, folder: Path, environment: Environment | None) -> "Origin":
        """That of the generator in `folder`, in that environment."""
        code = code_digest(folder)
        return cls(code, environment.made_by(code) if environment else None)


def record_receipt(  # noqa: PLR0913 - a receipt tells much
    store: ObjectStore,
    delivery: Delivery,
    samples: Sequence[Sample],
    digests: Mapping[int, str],
    result: TaskResult,
    origin: Origin,
) -> None:
    """Write the receipt of `samples`.

    Args:
        store: the bucket.
        delivery: the batch that is done.
        samples: those that were uploaded.
        digests: the content digest of each, by its index.
        result: what was uploaded, counted.
        origin: what made them.
    """
    message = delivery.message
    key = keys.ReceiptKey(message.type, message.indices, message.salt, delivery.seed)
    receipt = Receipt(
        message=message,
        seed=delivery.seed,
        python_hash_seed=delivery.python_hash_seed,
        task=samples[0].task,
        stored=compress(sample.index for sample in samples),
        digests={**_digests_to_keep(store, key, delivery), **digests},
        result=result.model_copy(update={"sample_ids": []}),
        attempt=delivery.attempt,
        generator_digest=origin.code,
        made_by=origin.made_by,
        finished_at=datetime.now(UTC),
    )
    write(store, keys.receipt(key), receipt)


def _digests_to_keep(store: ObjectStore, key: keys.ReceiptKey, delivery: Delivery) -> dict[int, str]:
    """Digests in the receipt that is about to be replaced: a replay of some samples keeps those of the others."""
    if not delivery.message.only_indices:
        return {}
    earlier = records.find_receipt(store, key)
    seeds = (delivery.seed, delivery.python_hash_seed)
    return earlier.digests if earlier and (earlier.seed, earlier.python_hash_seed) == seeds else {}


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
        attempt=delivery.attempt,
        generator_digest=origin.code,
        made_by=origin.made_by,
        failed_at=datetime.now(UTC),
    )
    key = keys.FailureKey(message.type, message.indices, message.salt, delivery.attempt, failed.cause)
    write(store, keys.failure(key), record)


def write(store: ObjectStore, key: str, record: Receipt | FailureRecord) -> None:
    """Write a record; where the bucket does not take it, it is logged, and nothing else changes."""
    try:
        records.write(store, key, record)
    except Exception:
        log.exception("%s could not be written: %s", key, record.model_dump_json())
