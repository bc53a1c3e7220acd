"""Lists the bucket: the prefixes of all generators in parallel, page by page.

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
from arro3.core import RecordBatch
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.s3.odd_keys import OddListing, OnOddKey, Stored

LISTING_THREADS = 32
_PAGE = 1000

Listed = Callable[[int], None]
# A page of a listing: an Arrow table with the columns path, size, e_tag and last_modified, or its objects.
Page = RecordBatch | list[Stored]
OnObjects = Callable[[str, Sequence[Page]], None]


class Top(NamedTuple):
    """The objects directly in a folder, and its subfolders, without trailing slashes."""

    objects: list[Stored]
    folders: list[str]


def ignore_key(key: str) -> None:
    """Ignore a key that is no path."""


def sizes(store: ObjectStore, folder: str, on_odd_key: OnOddKey = ignore_key) -> Iterator[tuple[str, int]]:
    """(key, size in bytes) of every object below `folder`, in the order of their keys.

    `on_odd_key` is called with each key that is no path; those are left out.
    """
    return _listed(store, folder, ("path", "size"), on_odd_key)


def times(
    store: ObjectStore, folder: str, on_odd_key: OnOddKey = ignore_key
) -> Iterator[tuple[str, datetime]]:
    """(key, last modified) of every object below `folder`; those that are no paths are left out, as of `sizes`."""
    return _listed(store, folder, ("path", "last_modified"), on_odd_key)


def objects(store: ObjectStore, folder: str, on_odd_key: OnOddKey = ignore_key) -> Iterator[Stored]:
    """Every object below `folder`, in the order of their keys."""
    return starmap(Stored, _listed(store, folder, Stored._fields, on_odd_key))


def top(store: ObjectStore, folder: str, on_odd_key: OnOddKey = ignore_key) -> Top:
    """The top level of `folder`; `on_odd_key` is called with the keys in subfolders that are no paths too."""
    prefix = folder.rstrip("/")
    try:
        found = obstore.list_with_delimiter(store, prefix)
    except BaseError as failure:
        return _odd_top(store, failure, f"{prefix}/", on_odd_key)
    stored = [Stored(o["path"], o["size"], o["e_tag"], o["last_modified"]) for o in found["objects"]]
    return Top(stored, [*found["common_prefixes"]])


def _odd_top(store: ObjectStore, failure: BaseError, prefix: str, on_odd_key: OnOddKey) -> Top:
    odd_listing = OddListing(store, failure, on_odd_key)
    listed = list(odd_listing.pages(prefix, delimiter="/"))
    folders = [folder.removesuffix("/") for page in listed for folder in page.folders]
    for folder in folders:
        if not keys.is_path(folder):
            # No key below it is a path either; listing them calls `on_odd_key`.
            deque(odd_listing.pages(f"{folder}/"), maxlen=0)
    return Top([one for page in listed for one in page.objects], [f for f in folders if keys.is_path(f)])


def _listed(store: ObjectStore, folder: str, columns: Sequence[str], on_odd_key: OnOddKey) -> Iterator[Any]:
    """The columns, the path first, of every object below `folder`."""
    for page in _pages(store, folder, on_odd_key):
        if isinstance(page, RecordBatch):
            yield from zip(*(page[column].to_pylist() for column in columns), strict=True)
        else:
            yield from (tuple(getattr(one, column) for column in columns) for one in page)


def _pages(store: ObjectStore, folder: str, on_odd_key: OnOddKey) -> Iterator[Page]:
    """The pages of a listing, as Arrow tables; `OddListing` lists a page that obstore fails."""
    prefix, after = folder.rstrip("/"), ""
    while True:
        try:
            for page in obstore.list(
                store, prefix, offset=after or None, chunk_size=_PAGE, return_arrow=True
            ):
                yield page
                after = page["path"][-1].as_py()
        except BaseError as error:
            failure = error
        else:
            return
        odd_listing = OddListing(store, failure, on_odd_key)
        for listed in odd_listing.pages(f"{prefix}/", after=after):
            yield listed.objects
            if listed.is_last:
                return
            if keys.is_path(listed.last):
                after = listed.last
                break


def take_inventory(
    store: ObjectStore,
    into: Inventory | None = None,
    *,
    generators: Iterable[str] | None = None,
    on_listed: Listed | None = None,
    on_objects: OnObjects | None = None,
) -> Inventory:
    """List ``questions/`` and count what is whole, torn or archived.

    Args:
        store: the dataset's bucket.
        into: an empty inventory, which says what samples need; default one of the contract's two files.
        generators: only these generators' folders are listed; archives always are. Default: all.
        on_listed: called with the number of keys seen so far each time a generator's listing ends.
        on_objects: called with each generator and its objects, archives too, in one of the threads that list.
    """
    inventory = Inventory() if into is None else into
    found = top(store, keys.QUESTIONS, inventory.leave_out)
    inventory.add((one.path, one.size) for one in found.objects)
    archives = _by_generator(found.objects)
    wanted = None if generators is None else set(generators)
    names = dict.fromkeys(folder.removeprefix(keys.QUESTIONS) for folder in found.folders) | archives
    with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="list") as pool:

        def take(name: str) -> None:
            pages: list[Page] = [archives.get(name, [])]
            inventory.add(_kept(store, keys.questions_of(name), inventory.leave_out, pages))
            if on_objects:
                on_objects(name, pages)

        for _ in pool.map(take, (name for name in names if wanted is None or name in wanted)):
            if on_listed:
                on_listed(inventory.key_count)
    return inventory


def _by_generator(listed: Iterable[Stored]) -> dict[str, list[Stored]]:
    """Archives by generator."""
    found: dict[str, list[Stored]] = {}
    for one in listed:
        if archive := keys.parse_archive(one.path):
            found.setdefault(archive.generator, []).append(one)
    return found


def _kept(
    store: ObjectStore, folder: str, on_odd_key: OnOddKey, pages: list[Page]
) -> Iterator[tuple[str, int]]:
    """(key, size) of every object below `folder`; its pages are added to `pages`."""
    for page in _pages(store, folder, on_odd_key):
        pages.append(page)
        if isinstance(page, RecordBatch):
            yield from zip(page["path"].to_pylist(), page["size"].to_pylist(), strict=True)
        else:
            yield from ((one.path, one.size) for one in page)


def take_evidence(store: ObjectStore, generators: Iterable[str]) -> Evidence:
    """The receipts and failure records of these generators."""
    folders = [f"{root}{name}" for name in generators for root in (keys.RECEIPTS, keys.FAILURES)]
    odd: list[str] = []
    with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="list") as pool:
        listed = pool.map(lambda folder: list(times(store, folder, odd.append)), folders)
        evidence = Evidence(chain.from_iterable(listed))
    evidence.unrecognised += odd
    return evidence
