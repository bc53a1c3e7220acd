"""Brings ``questions/`` to a folder: many gets at once, each file whole or not there.

A file is written elsewhere and renamed into its place, so what is there is whole and a later run skips it.
Keys and archives come from a bucket that others may write to: nothing they name leaves the folder.
"""

import tarfile
import tempfile
import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import obstore
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.s3.listing import LISTING_THREADS, sizes

DOWNLOAD_THREADS = 32
_CHUNK = 4 * 1024 * 1024
# They part folders, drives or strings on one system or another.
_UNSAFE_CHARACTERS = frozenset("\\:\0")
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, OSError)

Item = tuple[str, int]
Brought = Callable[[int], None]


class Refused(NamedTuple):
    """An object that was not written, or not unpacked, and why."""

    key: str
    why: str


@dataclass
class Downloaded:
    """What became of a download: files, and the bytes of those that were fetched."""

    fetched: int = 0
    fetched_bytes: int = 0
    already_there: int = 0
    unpacked: int = 0
    refused: list[Refused] = field(default_factory=list)

    def add(self, part: "Downloaded") -> None:
        self.fetched += part.fetched
        self.fetched_bytes += part.fetched_bytes
        self.already_there += part.already_there
        self.unpacked += part.unpacked
        self.refused += part.refused

    def raise_if_refused(self) -> None:
        """Raise with the count, the first key and the reason, where anything was refused."""
        if self.refused:
            first = self.refused[0]
            raise DataFactoryError(
                f"everything is there but {len(self.refused)} refused; the first is {first.key!r}: {first.why}"
            )


def generators_in(store: ObjectStore) -> list[str]:
    """Names of the generators that the bucket holds samples or archives of."""
    top = obstore.list_with_delimiter(store, keys.QUESTIONS.rstrip("/"))
    found = {folder.removeprefix(keys.QUESTIONS) for folder in top["common_prefixes"]}
    archives = (keys.parse_archive(item["path"]) for item in top["objects"])
    return sorted(found | {archive.generator for archive in archives if archive})


def target(dest: Path, key: str) -> Path:
    """Where `key` goes: the path below `dest` that it has below ``questions/``.

    Raises:
        ValueError: it would leave `dest`, or could not be a file everywhere.
    """
    parts = key.removeprefix(keys.QUESTIONS).split("/")
    unsafe = any(part in ("", ".", "..") or _UNSAFE_CHARACTERS & set(part) for part in parts)
    if unsafe or not key.startswith(keys.QUESTIONS):
        raise ValueError(f"{key!r} would leave the folder")
    return dest.joinpath(*parts)


def listings(store: ObjectStore, generators: Collection[str] | None = None) -> Iterator[Iterable[Item]]:
    """(key, size) pairs of the dataset: first what lies at its top, then one listing for each generator."""
    top = obstore.list_with_delimiter(store, keys.QUESTIONS.rstrip("/"))
    yield [(item["path"], item["size"]) for item in top["objects"] if _is_of(item["path"], generators)]
    for folder in top["common_prefixes"]:
        if generators is None or folder.removeprefix(keys.QUESTIONS) in generators:
            yield filter(_is_file, sizes(store, folder))


def measure(store: ObjectStore, dest: Path, generators: Collection[str] | None = None) -> int:
    """Bytes that are not in `dest` yet."""

    def lacking(listing: Iterable[Item]) -> int:
        return sum(size for key, size in listing if not _is_there(dest, key, size))

    with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="list") as pool:
        return sum(pool.map(lacking, listings(store, generators)))


class Download:
    """Brings the dataset, or some generators of it, to a folder.

    Args:
        store: the dataset's bucket.
        dest: the folder; made where it is not there.
        extract: unpack archives too, to where their samples would lie as files.
        on_bytes: called, from many threads, with the bytes brought since it was called last.
    """

    def __init__(
        self, store: ObjectStore, dest: Path, *, extract: bool = False, on_bytes: Brought = lambda _: None
    ) -> None:
        if extract and not hasattr(tarfile, "data_filter"):
            raise DataFactoryError("archives are unpacked safely from Python 3.11.4 on; this one is older")
        self._store = store
        self._dest = dest
        self._extract = extract
        self._on_bytes = on_bytes
        self._stop = threading.Event()
        self._numbers = count()

    def run(self, generators: Collection[str] | None = None) -> Downloaded:
        """Bring what is not there yet of `generators` (default: of all)."""
        self._dest.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=self._dest) as incoming:
            items = (item for listing in listings(self._store, generators) for item in listing)
            return self._bring_all(items, Path(incoming))

    def _bring_all(self, items: Iterator[Item], incoming: Path) -> Downloaded:
        done = Downloaded()
        under_way: set[Future[Downloaded]] = set()
        with ThreadPoolExecutor(DOWNLOAD_THREADS, thread_name_prefix="download") as pool:
            try:
                while True:
                    room = 4 * DOWNLOAD_THREADS - len(under_way)
                    under_way |= {pool.submit(self._bring, item, incoming) for item in islice(items, room)}
                    if not under_way:
                        return done
                    finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    for future in finished:
                        done.add(future.result())
            except BaseException:
                # Ctrl-C too: the pool waits for its threads, so they must not start or finish anything long.
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _bring(self, item: Item, incoming: Path) -> Downloaded:
        key, size = item
        staging = incoming / str(next(self._numbers))
        done = Downloaded()
        try:
            path = target(self._dest, key)
            if _is_there(self._dest, key, size):
                done.already_there = 1
            else:
                done.fetched_bytes = self._fetch(key, path, staging)
                done.fetched = 1
            if self._extract and (archive := keys.parse_archive(key)):
                done.unpacked = _unpack(path, archive.generator, self._dest, staging)
        except (ValueError, IsADirectoryError, NotADirectoryError, FileExistsError) as error:
            done.refused = [Refused(key, str(error))]
        return done

    def _fetch(self, key: str, path: Path, staging: Path) -> int:
        brought = 0
        with staging.open("wb") as file:
            for chunk in obstore.get(self._store, key).stream(min_chunk_size=_CHUNK):
                if self._stop.is_set():
                    raise InterruptedError(f"{key} was not finished")
                brought += file.write(chunk)
                self._on_bytes(len(chunk))
        _move(staging, path)
        return brought


def _unpack(archive: Path, generator: str, dest: Path, staging: Path) -> int:
    """Put the archive's files in their places, all or none; returns how many were not there.

    Raises:
        ValueError: it is damaged, or holds something that is no file of `generator`.
    """
    places: dict[Path, Path] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                path = _place(member, generator, dest)
                if path and not (path.is_file() and path.stat().st_size == member.size):
                    tar.extract(member, staging, filter="data")
                    places[staging / member.name] = path
    except _DAMAGED as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error
    for staged, path in places.items():
        _move(staged, path)
    return len(places)


def _place(member: tarfile.TarInfo, generator: str, dest: Path) -> Path | None:
    """Where a member goes; None for a folder."""
    if member.isdir():
        return None
    if not member.isfile():
        raise ValueError(f"it holds {member.name!r}, which is no plain file")
    path = target(dest, keys.QUESTIONS + member.name)
    if PurePosixPath(member.name).parts[0] != generator:
        raise ValueError(f"it holds {member.name!r}, which is not of {generator}")
    return path


def _move(staged: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged.replace(path)


def _is_there(dest: Path, key: str, size: int) -> bool:
    """Whether the file is there with that size. A key that has no place counts as not there."""
    try:
        path = target(dest, key)
        return path.stat().st_size == size and path.is_file()
    except (OSError, ValueError):
        return False


def _is_of(key: str, generators: Collection[str] | None) -> bool:
    archive = keys.parse_archive(key)
    return generators is None or (archive is not None and archive.generator in generators)


def _is_file(item: Item) -> bool:
    """Not the empty object that consoles make for a folder; obstore takes the slash off its name."""
    key, size = item
    return size > 0 or "." in key.rpartition("/")[2]
