"""Brings ``questions/`` to a folder: many gets at once, each file whole or not there.

A file is written elsewhere, compared with what S3 says of it, and renamed into its place with the object's time:
what is there is whole, and a later run skips it unless the bucket holds something else by then.
"""

import errno
import tarfile
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.s3.checksums import ExpectedContent
from vbvrdatafactory.s3.folder import Folder, put, time_of
from vbvrdatafactory.s3.listing import LISTING_THREADS, nobody, objects, top
from vbvrdatafactory.s3.odd_keys import LeftOut, Stored
from vbvrdatafactory.s3.reading import DamagedObjectError, stream
from vbvrdatafactory.s3.unpacking import unpack

DOWNLOAD_THREADS = 32
# What is the matter with one file alone: its name, what lies in its place, whose its folder is.
_OF_ONE_FILE = {
    errno.EACCES,
    errno.EEXIST,
    errno.EILSEQ,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.EPERM,
}

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
    found = top(store, keys.QUESTIONS)
    names = {folder.removeprefix(keys.QUESTIONS) for folder in found.folders}
    archives = (keys.parse_archive(one.path) for one in found.objects)
    return sorted(names | {archive.generator for archive in archives if archive})


def listings(
    store: ObjectStore, generators: Collection[str] | None = None, left_out: LeftOut = nobody
) -> Iterator[Iterable[Stored]]:
    """The dataset's objects: first what lies at its top, then one listing for each generator.

    `left_out` is called with each key that can't be a path, of `generators` where they are given.
    """
    found = top(store, keys.QUESTIONS, left_out if generators is None else nobody)
    yield [one for one in found.objects if _is_of(one.path, generators)]
    for folder in found.folders:
        if generators is None or folder.removeprefix(keys.QUESTIONS) in generators:
            yield filter(_is_file, objects(store, folder, left_out))


def measure(store: ObjectStore, dest: Path, generators: Collection[str] | None = None) -> int:
    """Bytes that are not in `dest` yet."""
    folder = Folder(dest)

    def lacking(listing: Iterable[Stored]) -> int:
        return sum(stored.size for stored in listing if not folder.has(stored))

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
        self._folder = Folder(dest)
        self._extract = extract
        self._on_bytes = on_bytes
        self._stop = threading.Event()
        self._numbers = count()

    def run(self, generators: Collection[str] | None = None) -> Downloaded:
        """Bring what is not there yet of `generators` (default: of all)."""
        dest, odd = self._folder.root, list[Refused]()
        dest.mkdir(parents=True, exist_ok=True)

        def left_out(key: str) -> None:
            odd.append(Refused(key, "no file can have that name"))

        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=dest) as incoming:
            items = (item for listing in listings(self._store, generators, left_out) for item in listing)
            done = self._bring_all(items, Path(incoming))
        done.refused += odd
        return done

    def _bring_all(self, items: Iterator[Stored], incoming: Path) -> Downloaded:
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

    def _bring(self, item: Stored, incoming: Path) -> Downloaded:
        staging = incoming / str(next(self._numbers))
        done = Downloaded()
        try:
            self._bring_one(item, staging, done)
        except (ValueError, DamagedObjectError) as error:
            done.refused = [Refused(item.path, str(error))]
        except FileNotFoundError:
            done.refused = [Refused(item.path, "the listing has it, but it is not there")]
        except OSError as error:
            if error.errno not in _OF_ONE_FILE:
                raise
            done.refused = [
                Refused(item.path, f"{error.strerror}: {str(error.filename2 or error.filename)!r}")
            ]
        return done

    def _bring_one(self, item: Stored, staging: Path, done: Downloaded) -> None:
        path = self._folder.place(item.path)
        if self._folder.has(item):
            done.already_there = 1
        else:
            done.fetched_bytes = self._fetch(item, path, staging)
            done.fetched = 1
        if self._extract and (archive := keys.parse_archive(item.path)):
            done.unpacked = unpack(path, archive.generator, self._folder, staging)

    def _fetch(self, item: Stored, path: Path, staging: Path) -> int:
        listed = ExpectedContent(item.size, item.e_tag)
        try:
            came = self._stream(item, listed, staging)
            # One that was overwritten since it was listed gets its time at the next look.
            put(staging, path, time_of(item) if came == listed else None)
        finally:
            staging.unlink(missing_ok=True)
        return came.size

    def _stream(self, item: Stored, listed: ExpectedContent, staging: Path) -> ExpectedContent:
        with staging.open("wb") as file:

            def take(piece: bytes) -> None:
                if self._stop.is_set():
                    raise InterruptedError(f"{item.path} was not finished")
                file.write(piece)
                self._on_bytes(len(piece))

            def forget() -> None:
                self._on_bytes(-file.tell())
                file.seek(0)
                file.truncate()

            return stream(self._store, item.path, take, forget, listed)


def _is_of(key: str, generators: Collection[str] | None) -> bool:
    archive = keys.parse_archive(key)
    return generators is None or (archive is not None and archive.generator in generators)


def _is_file(stored: Stored) -> bool:
    """Not the empty object that consoles make for a folder; obstore takes the slash off its name."""
    return stored.size > 0 or "." in stored.path.rpartition("/")[2]
