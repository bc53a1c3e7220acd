"""Receipts as rows of the ledger."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.ranges import expand
from vbvrdatafactory.core.records import Adoption, MadeBy, Receipt
from vbvrdatafactory.core.usage import Usage
from vbvrdatafactory.ledger.schema import SCHEMA


def table(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """Rows as a table of the ledger; a column that a row does not have is null."""
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row", strict=False)


def rows_of(name: str, receipt: Receipt) -> Iterator[dict[str, Any]]:
    """A row for each sample that the receipt records.

    Args:
        name: the receipt's key below ``_datafactory/``.
        receipt: the receipt. An older one does not say which objects were stored; a replay took the place of the run's
            own receipt then, so that it stands for all samples of the run.
    """
    made_by, message = receipt.made_by or MadeBy(), receipt.message
    alike = {
        "generator": message.type,
        "code": receipt.generator_digest,
        "commit": made_by.commit,
        "tree": made_by.tree,
        "environment": made_by.environment,
        "python": made_by.python,
        "libraries": json.dumps(made_by.libraries, sort_keys=True),
        "fonts": made_by.fonts,
        "worker": made_by.worker,
        "start": message.start_index,
        "count": message.num_samples,
        "seed": receipt.seed,
        "python_hash_seed": receipt.python_hash_seed,
        "salt": message.salt,
        "receipt": name,
        "made_at": receipt.finished_at,
        "usage": _usage(receipt.usage),
        "adopted": False,
    }
    archived = {index: archive for archive in receipt.archives for index in range(*archive.indices)}
    is_older = not (receipt.objects or receipt.archives)
    for index in range(*message.indices) if is_older else expand(receipt.stored):
        task = receipt.tasks.get(index, receipt.task)
        folder = keys.sample_folder(keys.SampleFolder(message.type, task, index))
        objects = [(f"{folder}/{one.name}", one.size, one.e_tag) for one in receipt.objects.get(index, ())]
        if archive := archived.get(index):
            objects.append((f"{keys.QUESTIONS}{archive.name}", archive.size, archive.e_tag))
        profile = receipt.profiles.get(index, receipt.profile)
        yield {
            **alike,
            **(profile._asdict() if profile else {}),
            "index": index,
            "task": task,
            "digest": receipt.digests.get(index),
            "metadata_digest": receipt.metadata_digests.get(index),
            "objects": [dict(zip(("key", "size", "e_tag"), one, strict=True)) for one in objects] or None,
        }


def rows_of_name(name: str, key: keys.ReceiptKey) -> Iterator[dict[str, Any]]:
    """What the name of a receipt that can't be read tells: its samples were made so, and nobody knows what they were."""
    made_at = _made_at(key.made)
    for index in range(*key.indices):
        yield {
            "generator": key.generator,
            "index": index,
            "start": key.indices.start,
            "count": key.indices.size,
            "seed": key.seed,
            "salt": key.salt,
            "receipt": name,
            "made_at": made_at,
            "adopted": False,
        }


def rows_of_adoption(name: str, adoption: Adoption) -> Iterator[dict[str, Any]]:
    """A row for each adopted sample; of one that an older receipt is about, with the run of that receipt."""
    for sample in adoption.samples:
        yield {
            **(sample.run.model_dump() if sample.run else {"receipt": name}),
            "generator": adoption.generator,
            "index": sample.index,
            "task": sample.task,
            "digest": sample.digest,
            "metadata_digest": sample.metadata_digest or None,
            "objects": [one._asdict() for one in sample.objects],
            "made_at": adoption.adopted_at,
            "adopted": sample.run is None,
        }


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        "seconds": usage.seconds,
        "certifying_seconds": usage.certifying_seconds,
        "cpu_seconds": usage.cpu_seconds,
        "memory_bytes": max((run.memory_bytes for run in usage.runs), default=0),
        "worker_bytes": usage.worker_bytes,
        "disk_bytes": max((run.disk_bytes for run in usage.runs), default=0),
        "objects": usage.objects,
        "stored_bytes": usage.stored_bytes,
        "is_first": usage.is_first,
        "function_mb": usage.host.function_mb,
        "side_by_side": usage.host.side_by_side,
        "processor": usage.host.processor,
    }


def _made_at(made: str) -> datetime:
    if not made:
        return datetime(1970, 1, 1, tzinfo=UTC)
    return datetime.strptime(made.partition("-")[0], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
