"""Downloads ``questions/`` to a folder with parallel gets; a file is there completely or not at all.

A file is written to a staging folder, compared with the size and digest that S3 reports, and renamed into place with
the object's time. A later download skips it unless the object has changed.
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
from vbvrdatafactory.s3.listing import LISTING_THREADS, ignore_key, objects, top
from vbvrdatafactory.s3.odd_keys import OnOddKey, Stored
from vbvrdatafactory.s3.reading import DamagedObjectError, stream
from vbvrdatafactory.s3.unpacking import unpack

DOWNLOAD_THREADS = 32
# Errors of one file alone: its name, what exists at its path, the permissions of its folder.
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

OnBytes = Callable[[int], None]


class Refused(NamedTuple):
    """An object that was not written, or not unpacked, and why."""

    key: str
    why: str


@dataclass
class Downloaded:
    """The result of a download.

    Args:
        fetched: files that were downloaded.
        fetched_bytes: their bytes.
        already_there: files that existed with the object's bytes.
        unpacked: files that were unpacked from archives.
        refused: objects that were not written or not unpacked.
    """

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
    """Names of the generators that have samples or archives in the bucket."""
    found = top(store, keys.QUESTIONS)
    names = {folder.removeprefix(keys.QUESTIONS) for folder in found.folders}
    archives = (keys.parse_archive(one.path) for one in found.objects)
    return sorted(names | {archive.generator for archive in archives if archive})


def listings(
    store: ObjectStore, generators: Collection[str] | None = None, on_odd_key: OnOddKey = ignore_key
) -> Iterator[Iterable[Stored]]:
    """The dataset's objects: first those at the top level, then one listing for each generator.

    `on_odd_key` is called with each key that is no path, only of `generators` where they are given.
    """
    found = top(store, keys.QUESTIONS, on_odd_key if generators is None else ignore_key)
    yield [one for one in found.objects if _is_of(one.path, generators)]
    for folder in found.folders:
        if generators is None or folder.removeprefix(keys.QUESTIONS) in generators:
            yield filter(_is_file, objects(store, folder, on_odd_key))


def measure(store: ObjectStore, dest: Path, generators: Collection[str] | None = None) -> int:
    """How many bytes are not in `dest` yet."""
    folder = Folder(dest)

    def lacking(listing: Iterable[Stored]) -> int:
        return sum(stored.size for stored in listing if not folder.has(stored))

    with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="list") as pool:
        return sum(pool.map(lacking, listings(store, generators)))


class Download:
    """Downloads the dataset, or some of its generators, to a folder.

    Args:
        store: the dataset's bucket.
        dest: the folder; created where it does not exist.
        extract: unpack archives too, to the paths that their samples have as files.
        on_bytes: called from many threads with the number of bytes received since its last call; negative where a
            file begins anew.
    """

    def __init__(
        self, store: ObjectStore, dest: Path, *, extract: bool = False, on_bytes: OnBytes = lambda _: None
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
        """Download what is not in the folder yet, of `generators` (default: of all)."""
        dest, refused = self._folder.root, list[Refused]()
        dest.mkdir(parents=True, exist_ok=True)

        def on_odd_key(key: str) -> None:
            refused.append(Refused(key, "no file can have that name"))

        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=dest) as incoming:
            items = (item for listing in listings(self._store, generators, on_odd_key) for item in listing)
            done = self._download_all(items, Path(incoming))
        done.refused += refused
        return done

    def _download_all(self, items: Iterator[Stored], incoming: Path) -> Downloaded:
        done = Downloaded()
        under_way: set[Future[Downloaded]] = set()
        with ThreadPoolExecutor(DOWNLOAD_THREADS, thread_name_prefix="download") as pool:
            try:
                while True:
                    room = 4 * DOWNLOAD_THREADS - len(under_way)
                    under_way |= {pool.submit(self._download, item, incoming) for item in islice(items, room)}
                    if not under_way:
                        return done
                    finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    for future in finished:
                        done.add(future.result())
            except BaseException:
                # Ctrl-C too: the pool waits for its threads, so they must end soon.
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _download(self, item: Stored, incoming: Path) -> Downloaded:
        staging = incoming / str(next(self._numbers))
        done = Downloaded()
        try:
            self._download_one(item, staging, done)
        except (ValueError, DamagedObjectError) as error:
            done.refused = [Refused(item.path, str(error))]
        except FileNotFoundError:
            done.refused = [Refused(item.path, "it was listed, but does not exist")]
        except OSError as error:
            if error.errno not in _OF_ONE_FILE:
                raise
            done.refused = [
                Refused(item.path, f"{error.strerror}: {str(error.filename2 or error.filename)!r}")
            ]
        return done

    def _download_one(self, item: Stored, staging: Path, done: Downloaded) -> None:
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
            received = self._stream(item, listed, staging)
            # An object that was overwritten since it was listed gets its time at the next download.
            put(staging, path, time_of(item) if received == listed else None)
        finally:
            staging.unlink(missing_ok=True)
        return received.size

    def _stream(self, item: Stored, listed: ExpectedContent, staging: Path) -> ExpectedContent:
        with staging.open("wb") as file:

            def write(piece: bytes) -> None:
                if self._stop.is_set():
                    raise InterruptedError(f"{item.path} was not finished")
                file.write(piece)
                self._on_bytes(len(piece))

            def restart() -> None:
                self._on_bytes(-file.tell())
                file.seek(0)
                file.truncate()

            return stream(self._store, item.path, write, restart, listed)


def _is_of(key: str, generators: Collection[str] | None) -> bool:
    archive = keys.parse_archive(key)
    return generators is None or (archive is not None and archive.generator in generators)


def _is_file(stored: Stored) -> bool:
    """False for the empty object that consoles create for a folder; obstore removes the slash from its name."""
    return stored.size > 0 or "." in stored.path.rpartition("/")[2]
