"""Reads the files of samples for a release, and compares them with what the ledger says of them."""

import tarfile
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import obstore
import polars as pl
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.content import CONTENT_FILES, FileContent, content_digest, metadata_digest
from vbvrdatafactory.core.contract import KNOWN_FILES
from vbvrdatafactory.core.errors import DataFactoryError, ReleaseError
from vbvrdatafactory.s3 import reading

THREADS = 32
# Small samples, or small files, that a thread reads one after the other.
TOGETHER = 8
ARCHIVE = ".tar.gz"
_TRIES = 2
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, OSError)

Row = Mapping[str, Any]
Files = dict[str, bytes]
_T = TypeVar("_T")
_R = TypeVar("_R")


class Source(NamedTuple):
    """Where samples are read.

    Args:
        store: the dataset's bucket.
        unpacked: a folder with the samples of archives; None where there are none.
    """

    store: ObjectStore
    unpacked: Path | None = None


def read_whole(source: Source, row: Row) -> Files:
    """The known files of a sample, as the ledger has them.

    Args:
        source: where it lies.
        row: its row of the ledger.

    Raises:
        ReleaseError: something else lies there.
    """
    where = f"{row['generator']} {row['index']}"
    why = ""
    for _ in range(_TRIES):
        try:
            files, others = _read(source, row, KNOWN_FILES)
        except FileNotFoundError as error:
            raise ReleaseError(f"{where}: an object is gone since the look ({error}); build again") from error
        except BaseError as error:
            why = f"it can't be read: {error}"
            continue
        why = _difference(row, files, complete=not others)
        if not why:
            return files
    raise ReleaseError(f"{where}: {why}; 'datafactory verify --deep' finds out what else is not as recorded")


def each_sample(
    store: ObjectStore,
    scratch: Callable[[], AbstractContextManager[Path]],
    rows: pl.DataFrame,
    names: Sequence[str],
) -> Iterator[tuple[Row, Files]]:
    """Every sample of a generator with those of its files that have these names, unproven; one that is gone has none.

    Those that lie as files come first, in order; then archive after archive, as each is read to its end.

    Args:
        store: the dataset's bucket.
        scratch: makes a folder for what is unpacked.
        rows: the ledger's rows.
        names: names of files.
    """

    def read(row: Row) -> tuple[Row, Files]:
        try:
            return row, _read(Source(store), row, names)[0]
        except FileNotFoundError:
            # Whoever builds its shard says so.
            return row, {}

    in_archive = pl.col("objects").list.first().struct.field("key").str.ends_with(ARCHIVE)
    marked = rows.with_columns(in_archive.alias("archived"))
    yield from in_order(read, marked.filter(~pl.col("archived")).iter_rows(named=True), TOGETHER)
    archives: defaultdict[str, list[Row]] = defaultdict(list)
    for row in marked.filter("archived").iter_rows(named=True):
        archives[row["objects"][0]["key"]].append(row)
    for archive, together in archives.items():
        with scratch() as folder:
            unpack(store, archive, {one["index"]: one["task"] for one in together}, folder)
            for one in together:
                yield one, _read(Source(store, folder), one, names)[0]


def in_order(work: Callable[[_T], _R], given: Iterable[_T], together: int = 1) -> Iterator[_R]:
    """The results in their order, worked at by threads; no more than some are held at a time.

    Args:
        work: called with each.
        given: what is worked at.
        together: how many a thread takes at a time: handing over a small one costs as much as the work.
    """
    left = iter(given)

    def some() -> Iterator[list[_T]]:
        while taken := list(islice(left, together)):
            yield taken

    parts = some()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="read") as pool:

        def begin(count: int) -> Iterator[Future[list[_R]]]:
            return (
                pool.submit(lambda part: [work(one) for one in part], part) for part in islice(parts, count)
            )

        running = deque(begin(2 * THREADS))
        try:
            while running:
                done = running.popleft().result()
                running.extend(begin(1))
                yield from done
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def unpack(store: ObjectStore, archive: str, indices: Mapping[int, str], folder: Path) -> None:
    """Unpack these samples of an archive, each file to the path that its key would have.

    Args:
        store: the dataset's bucket.
        archive: its key.
        indices: samples, and the task of each.
        folder: where to.

    Raises:
        ReleaseError: it is gone, or can't be unpacked.
    """
    # Others may be unpacked there at the same time.
    whole = folder / f"{sha256(archive.encode()).hexdigest()[:32]}.tar.gz"
    try:
        with whole.open("wb") as file:
            reading.stream(store, archive, file.write, lambda: _empty(file))
        with tarfile.open(whole, "r:gz") as tar:
            for member in tar:
                parent, _, name = member.name.rpartition("/")
                sample = keys.parse_sample_folder(f"{keys.QUESTIONS}{parent}")
                data = tar.extractfile(member) if sample and member.isfile() else None
                if sample and data and sample.sample_index in indices and name in KNOWN_FILES:
                    path = unpacked(folder, sample.generator, sample.sample_index, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data.read())
    except (*_DAMAGED, DataFactoryError) as error:
        raise ReleaseError(f"{archive!r} can't be unpacked: {error}; make its samples again") from error
    finally:
        whole.unlink(missing_ok=True)


def is_archived(row: Row) -> bool:
    """Whether a sample lies in an archive."""
    return keys.parse_archive(row["objects"][0]["key"]) is not None


def unpacked(folder: Path, generator: str, index: int, name: str) -> Path:
    """The path of a file of an archive's sample once it is unpacked."""
    return folder / generator / f"{index}" / name


def _read(source: Source, row: Row, names: Iterable[str]) -> tuple[Files, bool]:
    """Files by name, and whether the sample has others whose names are not known."""
    if is_archived(row):
        if source.unpacked is None:
            raise FileNotFoundError(row["objects"][0]["key"])
        paths = {name: unpacked(source.unpacked, row["generator"], row["index"], name) for name in names}
        return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}, True
    named = {one["key"].rpartition("/")[2]: one["key"] for one in row["objects"]}
    files = {name: bytes(obstore.get(source.store, named[name]).bytes()) for name in names if name in named}
    return files, not named.keys() <= set(KNOWN_FILES)


def _difference(row: Row, files: Files, *, complete: bool) -> str:
    sums = {name: FileContent.of(data) for name, data in files.items()}
    found = content_digest({name: sums[name] for name in CONTENT_FILES if name in sums})
    if found != row["digest"]:
        return f"its content has the digest {found[:16]}…, and {row['digest'][:16]}… is recorded"
    recorded = row["metadata_digest"] or ""
    # Older receipts do not have it.
    if complete and recorded and (other := metadata_digest(sums)) != recorded:
        return f"its metadata has the digest {other[:16]}…, and {recorded[:16]}… is recorded"
    return ""


def _empty(file: Any) -> None:  # noqa: ANN401 - an open file
    file.seek(0)
    file.truncate()
