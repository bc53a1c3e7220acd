"""Samples in a bucket as a worker leaves them: recorded, but no evidence that their generator has proved itself."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from uuid import uuid4

import obstore
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import MAX_BATCH, TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange, compress
from vbvrdatafactory.core.records import Receipt, StoredArchive, StoredObject
from vbvrdatafactory.core.seeds import batch_seed
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.checksums import unquoted

FILES = {"first_frame.png": b"png", "prompt.txt": b"prompt"}


def put_recorded(
    store: ObjectStore,
    generator: str,
    indices: Iterable[int],
    *,
    seed: int = 42,
    task: str = "t",
    files: Mapping[str, bytes] = FILES,
    digests: Mapping[int, str] | None = None,
    code: str | None = None,
) -> None:
    """Put whole samples of a dataset with this base seed, and partial receipts of them."""
    objects = {}
    for index in indices:
        folder = keys.sample_folder(keys.SampleFolder(generator, task, index))
        objects[index] = tuple(
            StoredObject(name, len(data), unquoted(obstore.put(store, f"{folder}/{name}", data)["e_tag"]))
            for name, data in files.items()
        )
    for run in _runs(objects):
        here = {index: objects[index] for index in range(*run)}
        told = {index: (digests or {}).get(index, f"digest of {generator} {index}") for index in here}
        _record(store, generator, run, seed, task=task, objects=here, digests=told, generator_digest=code)


def put_archive(store: ObjectStore, generator: str, indices: IndexRange, *, seed: int = 42) -> None:
    """Put an archive of that name, and a partial receipt of it."""
    key = keys.archive(keys.Archive(generator, indices))
    e_tag = unquoted(obstore.put(store, key, b"x")["e_tag"])
    stored = StoredArchive(key.removeprefix(keys.QUESTIONS), indices, 1, e_tag)
    _record(store, generator, indices, seed, archives=(stored,))


def _record(store: ObjectStore, generator: str, run: IndexRange, seed: int, **stored: object) -> None:
    now, made = datetime.now(UTC), batch_seed(seed, generator, run.start, 0)
    receipt = Receipt(
        message=TaskMessage(type=generator, num_samples=run.size, start_index=run.start, seed=made),
        seed=made,
        result=TaskResult(generator=generator, samples_uploaded=run.size, sample_ids=[]),
        attempt=1,
        finished_at=now,
        **{"generator_digest": None, "stored": [run], **stored},
    )
    name = keys.receipt_name(now, uuid4().hex[:8])
    records.write(
        store, keys.receipt(keys.ReceiptKey(generator, run, 0, made, name, is_partial=True)), receipt
    )


def _runs(indices: Iterable[int]) -> Iterable[IndexRange]:
    for run in compress(indices):
        for start in range(*run, MAX_BATCH):
            yield IndexRange(start, min(start + MAX_BATCH, run.stop))
