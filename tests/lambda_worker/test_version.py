"""What a receipt says of the worker that wrote it."""

from collections.abc import Callable, Iterator
from importlib.metadata import version

import pytest
from obstore.store import MemoryStore

from lambda_worker.version import worker_version
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.ledger.rows import rows_of, table
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import sizes


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """It is read once in a process."""
    worker_version.cache_clear()
    yield
    worker_version.cache_clear()


def test_receipts_and_the_ledger_name_the_worker(
    deliver: Callable[..., object],
    tiny: Callable[..., str],
    store: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its version, twelve digits of its code's digest, and its image's digest where the environment has that."""
    monkeypatch.setenv("IMAGE_DIGEST", "sha256:abc")
    deliver(type=tiny())
    (key,) = (key for key, _ in sizes(store, keys.RECEIPTS))
    receipt = records.read(store, key, Receipt)
    assert receipt
    assert receipt.made_by
    installed, digest, image = receipt.made_by.worker.split()
    assert (installed, len(digest), image) == (version("vbvrdatafactory"), 12, "sha256:abc")
    assert set(table(rows_of("x", receipt))["worker"]) == {receipt.made_by.worker}


def test_without_an_image_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker outside of Lambda knows none."""
    monkeypatch.delenv("IMAGE_DIGEST", raising=False)
    assert len(worker_version().split()) == 2
