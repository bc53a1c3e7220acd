"""Writes a batch's receipt or failure record. A record that can't be written fails no batch."""

import logging
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from obstore.store import ObjectStore

from lambda_worker.delivery import Delivery
from lambda_worker.failure import BatchFailed
from lambda_worker.samples.collect import Sample
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import FailureRecord, Receipt, TaskResult
from vbvrdatafactory.core.ranges import compress
from vbvrdatafactory.files import readable_files
from vbvrdatafactory.s3 import records

log = logging.getLogger(__name__)


def record_receipt(  # noqa: PLR0913 - a receipt tells much
    store: ObjectStore,
    delivery: Delivery,
    samples: Sequence[Sample],
    digests: Mapping[int, str],
    result: TaskResult,
    code: Path,
) -> None:
    """Write the receipt of `samples`.

    Args:
        store: the bucket.
        delivery: the batch that is done.
        samples: those that were uploaded.
        digests: the content digest of each, by its index.
        result: what was uploaded, counted.
        code: the generator's folder.
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
        generator_digest=generator_digest(code),
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


def record_failure(store: ObjectStore, delivery: Delivery, failed: BatchFailed, code: Path) -> None:
    """Write why a batch of the generator in the folder `code` failed."""
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
        generator_digest=generator_digest(code),
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


def generator_digest(folder: Path) -> str | None:
    """SHA-256 over the names and bytes of a generator's Python files and requirements; None without any."""
    digest, found = sha256(), False
    for path, content in readable_files(folder, _is_code):
        digest.update(os.fsencode(path.as_posix()) + b"\0%d\0" % len(content))
        digest.update(content)
        found = True
    return digest.hexdigest() if found else None


def _is_code(path: Path) -> bool:
    return path.name.endswith(".py") or (len(path.parts) == 1 and path.match("requirements*.txt"))
