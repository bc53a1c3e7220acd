"""Lists the bucket: every generator's prefix at once, page by page, nothing kept.

obstore reads a page in about a microsecond a key where boto3 spends a hundred on XML. Its synchronous calls
run in threads, because its asynchronous ones aborted at interpreter exit in 6 of 60 runs.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain, starmap
from typing import Any, NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.s3.odd_keys import LeftOut, OddListing, Stored

LISTING_THREADS = 32
_PAGE = 1000

Listed = Callable[[int], None]


class Top(NamedTuple):
    """What lies at the top of a folder: objects, and folders without a closing slash."""

    objects: list[Stored]
    folders: list[str]


def nobody(key: str) -> None:
    """Who need not know of a key that can't be a path."""


def sizes(store: ObjectStore, folder: str, left_out: LeftOut = nobody) -> Iterator[tuple[str, int]]:
    """(key, size in bytes) of every object below `folder`, in the order of their keys.

    `left_out` is called with each key that can't be a path, which does not come.
    """
    return _listed(store, folder, ("path", "size"), left_out)


def times(store: ObjectStore, folder: str) -> Iterator[tuple[str, datetime]]:
    """(key, last modified) of every object below `folder`."""
    return _listed(store, folder, ("path", "last_modified"), nobody)


def objects(store: ObjectStore, folder: str, left_out: LeftOut = nobody) -> Iterator[Stored]:
    """Every object below `folder`, as `sizes` has them."""
    return starmap(Stored, _listed(store, folder, Stored._fields, left_out))


def top(store: ObjectStore, folder: str, left_out: LeftOut = nobody) -> Top:
    """What lies at the top of `folder`; `left_out` hears of keys below folders that can't be a path too."""
    prefix = folder.rstrip("/")
    try:
        found = obstore.list_with_delimiter(store, prefix)
    except BaseError as refusal:
        return _odd_top(store, refusal, f"{prefix}/", left_out)
    stored = [Stored(o["path"], o["size"], o["e_tag"], o["last_modified"]) for o in found["objects"]]
    return Top(stored, [*found["common_prefixes"]])


def _odd_top(store: ObjectStore, refusal: BaseError, prefix: str, left_out: LeftOut) -> Top:
    odd = OddListing(store, refusal, left_out)
    listed = list(odd.pages(prefix, delimiter="/"))
    folders = [folder.removesuffix("/") for page in listed for folder in page.folders]
    for folder in folders:
        if not keys.is_path(folder):
            # Every key below it is odd as well, and is told while the page is made.
            deque(odd.pages(f"{folder}/"), maxlen=0)
    return Top([one for page in listed for one in page.objects], [f for f in folders if keys.is_path(f)])


def _listed(store: ObjectStore, folder: str, columns: Sequence[str], left_out: LeftOut) -> Iterator[Any]:
    """The columns, the path first, of every object below `folder`; a page that obstore refuses comes another way."""
    prefix, after = folder.rstrip("/"), ""
    while True:
        try:
            for page in obstore.list(
                store, prefix, offset=after or None, chunk_size=_PAGE, return_arrow=True
            ):
                found = [page[column].to_pylist() for column in columns]
                yield from zip(*found, strict=True)
                after = found[0][-1]
        except BaseError as error:
            refusal = error
        else:
            return
        odd = OddListing(store, refusal, left_out)
        for seen in odd.pages(f"{prefix}/", after=after):
            yield from (tuple(getattr(one, column) for column in columns) for one in seen.objects)
            if seen.is_last:
                return
            if keys.is_path(seen.last):
                after = seen.last
                break


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
    found = top(store, keys.QUESTIONS, inventory.leave_out)
    inventory.add((one.path, one.size) for one in found.objects)
    wanted = None if generators is None else {keys.questions_of(name) for name in generators}
    folders = [folder for folder in found.folders if wanted is None or folder in wanted]
    with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="list") as pool:
        for _ in pool.map(lambda folder: inventory.add(sizes(store, folder, inventory.leave_out)), folders):
            if on_listed:
                on_listed(inventory.key_count)
    return inventory


def take_evidence(store: ObjectStore, generators: Iterable[str]) -> Evidence:
    """What receipts and failure records say about these generators."""
    folders = [f"{root}{name}" for name in generators for root in (keys.RECEIPTS, keys.FAILURES)]
    with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="list") as pool:
        return Evidence(chain.from_iterable(pool.map(lambda folder: list(times(store, folder)), folders)))
