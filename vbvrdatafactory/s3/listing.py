"""Lists the bucket: every generator's prefix at once, page by page, nothing kept.

obstore reads a page in about a microsecond a key where boto3 spends a hundred on XML. Its synchronous calls
run in threads, because its asynchronous ones aborted at interpreter exit in 6 of 60 runs.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain

import obstore
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.evidence import Evidence
from vbvrdatafactory.core.inventory import Inventory

LISTING_THREADS = 32
_PAGE = 1000

Listed = Callable[[int], None]


def sizes(store: ObjectStore, folder: str) -> Iterator[tuple[str, int]]:
    """(key, size in bytes) of every object below `folder`, in the order of their keys."""
    for page in obstore.list(store, folder.rstrip("/"), chunk_size=_PAGE, return_arrow=True):
        yield from zip(page["path"].to_pylist(), page["size"].to_pylist(), strict=True)


def times(store: ObjectStore, folder: str) -> Iterator[tuple[str, datetime]]:
    """(key, last modified) of every object below `folder`."""
    for page in obstore.list(store, folder.rstrip("/"), chunk_size=_PAGE):
        yield from ((item["path"], item["last_modified"]) for item in page)


def take_inventory(
    store: ObjectStore,
    require: Iterable[str] = (),
    *,
    generators: Iterable[str] | None = None,
    on_listed: Listed | None = None,
) -> Inventory:
    """List ``questions/`` and say what is whole, torn or archived.

    Args:
        store: the dataset's bucket.
        require: files a sample needs besides the contract's two.
        generators: only these generators' folders are listed; archives always are. Default: all.
        on_listed: called with the number of keys seen so far each time a generator's listing ends.
    """
    inventory = Inventory(require)
    top = obstore.list_with_delimiter(store, keys.QUESTIONS.rstrip("/"))
    inventory.add((item["path"], item["size"]) for item in top["objects"])
    wanted = None if generators is None else {keys.questions_of(name) for name in generators}
    folders = [folder for folder in top["common_prefixes"] if wanted is None or folder in wanted]
    with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="list") as pool:
        for _ in pool.map(lambda folder: inventory.add(sizes(store, folder)), folders):
            if on_listed:
                on_listed(inventory.key_count)
    return inventory


def take_evidence(store: ObjectStore, generators: Iterable[str]) -> Evidence:
    """What receipts and failure records say about these generators."""
    folders = [f"{root}{name}" for name in generators for root in (keys.RECEIPTS, keys.FAILURES)]
    with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="list") as pool:
        return Evidence(chain.from_iterable(pool.map(lambda folder: list(times(store, folder)), folders)))
