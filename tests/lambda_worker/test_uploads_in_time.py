"""A bucket that hangs, refuses or belongs to somebody else is told in time, with a cause."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import PermissionDeniedError
from obstore.store import MemoryStore

from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from lambda_worker.failure import BatchFailed
from lambda_worker.samples.collect import Sample
from lambda_worker.samples.upload import FileUploads
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage


@pytest.fixture
def released() -> Any:
    """Ends what hangs when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def records_of(store: MemoryStore) -> list[dict[str, Any]]:
    paths = [item["path"] for batch in store.list(prefix="_datafactory/") for item in batch]
    return [json.loads(bytes(store.get(path).bytes())) for path in paths]


@pytest.mark.parametrize("output_format", ["files", "tar"])
def test_uploads_that_hang_are_told_before_the_time_is_over(
    tiny: Callable[..., str], worker: Worker, store: MemoryStore, released, monkeypatch, output_format: str
) -> None:
    """The batch fails with its cause while there is time to record it, and the message comes back."""
    real = obstore.put

    def hang(store: Any, key: str, *rest: Any, **options: Any) -> Any:
        if key.startswith(keys.QUESTIONS):
            released.wait(30)
        return real(store, key, *rest, **options)

    monkeypatch.setattr("lambda_worker.samples.upload.obstore.put", hang)
    message = TaskMessage(type=tiny(), num_samples=2, seed=1, output_format=output_format)
    began = time.monotonic()
    with pytest.raises(BatchFailed, match="did not take everything within") as failed:
        worker.process(Delivery(message, 1, 1, seconds=6))
    assert time.monotonic() - began < 6
    assert failed.value.cause is Cause.UPLOAD
    assert failed.value.cause.is_transient
    assert [one["cause"] for one in records_of(store)] == ["upload"]


def test_a_refusal_is_final(
    tiny: Callable[..., str], worker: Worker, store: MemoryStore, monkeypatch
) -> None:
    """A bucket that refuses a sample would refuse it again: it is not paid for three times."""
    real = obstore.put

    def refuse(store: Any, key: str, *rest: Any, **options: Any) -> Any:
        if key.startswith(keys.QUESTIONS):
            raise PermissionDeniedError("403")
        return real(store, key, *rest, **options)

    monkeypatch.setattr("lambda_worker.samples.upload.obstore.put", refuse)
    with pytest.raises(BatchFailed) as failed:
        worker.process(Delivery(TaskMessage(type=tiny(), num_samples=2, seed=1), 1, 1, seconds=30))
    assert (failed.value.cause, failed.value.cause.is_transient) == (Cause.ACCESS_DENIED, False)


def test_a_foreign_bucket_is_refused_before_anything_runs(
    tiny: Callable[..., str], generators: Path, store: MemoryStore, monkeypatch
) -> None:
    """The generator that would take two minutes is not waited for; the record lies in the worker's own bucket."""
    foreign = MemoryStore()
    real = obstore.list

    def listing(store: Any, *rest: Any, **asked: Any) -> Any:
        if store is foreign:
            raise PermissionDeniedError("403")
        return real(store, *rest, **asked)

    monkeypatch.setattr("lambda_worker.idempotency.obstore.list", listing)
    worker = Worker(generators, lambda name, _prefix: foreign if name else store)
    message = TaskMessage(type=tiny(slow=120), num_samples=2, seed=1, output_bucket="somebody-elses")
    began = time.monotonic()
    with pytest.raises(BatchFailed, match="extraOutputBuckets") as failed:
        worker.process(Delivery(message, 1, 1, seconds=300))
    assert (failed.value.cause, time.monotonic() - began < 60) == (Cause.ACCESS_DENIED, True)
    assert [one["cause"] for one in records_of(store)] == ["access-denied"]


def test_a_denied_receipt_is_none(tiny: Callable[..., str], worker: Worker, monkeypatch) -> None:
    """S3 answers 403 to a missing key where the role lists below prefixes only: then the batch is just made."""

    def denied(*_: Any) -> None:
        raise PermissionDeniedError("403")

    monkeypatch.setattr("lambda_worker.idempotency.records.find_receipt", denied)
    done = worker.process(Delivery(TaskMessage(type=tiny(), num_samples=2, seed=1), 1, 1, seconds=30))
    assert done.samples_uploaded == 2


def test_an_abandoned_upload_ends(tmp_path: Path, store: MemoryStore, released, monkeypatch) -> None:
    """Nobody waits for ever for a sample whose first frame can't be sent any more: a worker could never end."""
    folder = tmp_path / "t_0000"
    folder.mkdir()
    for name in ("first_frame.png", "prompt.txt"):
        (folder / name).write_bytes(b"x")
    monkeypatch.setattr(
        "lambda_worker.samples.upload.obstore.put", lambda *_, **__: {"e_tag": str(released.wait(10))}
    )
    uploads = FileUploads(store, "G")
    uploads.upload(Sample("t", 0, folder))
    uploads.abandon()
    released.set()
    with ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(uploads._uploads[0].settle).result(5), RuntimeError)
