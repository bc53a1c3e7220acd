"""Puts whole samples into the bucket under their planned keys, many at once, without renaming anything on disk.

As files, a sample's ``first_frame.png`` goes when all its other files are there: a worker that dies half way
leaves torn samples, never ones that look whole. Samples may be given while the generator still runs. As
archives, one object holds a run of consecutive indices; it is packed straight into the upload, and the same
samples give the same bytes.
"""

import gzip
import os
import tarfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from lambda_worker.collect import Sample
from lambda_worker.failure import BatchFailed
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.files import open_regular
from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.core.ranges import compress
from vbvrdatafactory.core.samples import FIRST_FRAME

UPLOAD_THREADS = 32
# The one part of an archive that is held in memory; 5 MiB is S3's least.
PART_BYTES = 8 * 1024 * 1024
# Files of one batch that are in memory at once.
_ROOM_BYTES = 32 * 1024 * 1024

_CONTENT_TYPES = {
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".gz": "application/gzip",
}
# The fastest level already packs frames to a third; more effort costs CPU that is billed.
_GZIP_LEVEL = 1


class Uploaded(NamedTuple):
    """What went into the bucket."""

    files: int = 0
    bytes: int = 0
    archives: tuple[str, ...] = ()


class FileUploads:
    """Samples on their way into the bucket as files.

    Args:
        store: the bucket.
        generator: whose samples they are.
    """

    def __init__(self, store: ObjectStore, generator: str) -> None:
        self._way = _Way(
            store,
            ThreadPoolExecutor(UPLOAD_THREADS, thread_name_prefix="upload"),
            ThreadPoolExecutor(1, thread_name_prefix="upload-large"),
            _Room(_ROOM_BYTES),
        )
        self._generator = generator
        self._given: dict[int, _SampleUpload] = {}
        self._replaced: list[_SampleUpload] = []

    def give(self, sample: Sample) -> None:
        """Send the sample, unless just these files of it were given before.

        Raises:
            OSError: its files are not there to be looked at.
        """
        fingerprint = sample.fingerprint()
        earlier = self._given.get(sample.index)
        if earlier is None or earlier.fingerprint != fingerprint:
            self._send(sample, fingerprint)

    def _send(self, sample: Sample, fingerprint: object) -> None:
        if earlier := self._given.get(sample.index):
            # The later one is to have the last word on keys that both may have.
            earlier.settle()
            self._replaced.append(earlier)
        folder = keys.sample_folder(keys.SampleFolder(self._generator, sample.task, sample.index))
        self._given[sample.index] = _SampleUpload(self._way, folder, sample.files(), fingerprint)

    def finish(self, samples: Iterable[Sample]) -> Uploaded:
        """Wait until `samples`, as they are now, are there; whatever else was given is taken back.

        Call when nobody changes them any more: what was given while its generator still ran and has changed
        since is sent again.

        Raises:
            BatchFailed: the bucket did not take something.
        """
        try:
            wanted = {sample.index: sample for sample in samples}
            for sample in wanted.values():
                self.give(sample)
            for index, sample in wanted.items():
                if isinstance(self._given[index].settle(), _Changed):
                    self._send(sample, sample.fingerprint())
            uploads = {index: self._given.pop(index) for index in wanted}
            total = sum(upload.done.result() for upload in uploads.values())
            self._take_back({key for upload in uploads.values() for key in upload.keys})
        except (BaseError, OSError, ValueError, _Changed) as error:
            raise _failed(error) from error
        return Uploaded(sum(len(upload.keys) for upload in uploads.values()), total)

    def _take_back(self, kept: set[str]) -> None:
        others = [*self._given.values(), *self._replaced]
        for upload in others:
            upload.settle()
        if superfluous := {key for upload in others for key in upload.keys} - kept:
            obstore.delete(self._way.store, sorted(superfluous))

    def close(self) -> None:
        """Drop what has not been sent yet."""
        for pool in (self._way.pool, self._way.one):
            pool.shutdown(wait=True, cancel_futures=True)


class _Changed(Exception):  # noqa: N818 - nothing failed: a generator may do so while it runs
    """A file was no longer the one that was given."""


class _Room:
    """So many bytes of files may be in memory at once."""

    def __init__(self, size: int) -> None:
        self._free = self._size = size
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Wait until there is room for `size` bytes, and hold it."""
        size = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


class _Way(NamedTuple):
    """How files get into the bucket: most side by side, large ones in parts and one at a time."""

    store: ObjectStore
    pool: ThreadPoolExecutor
    one: ThreadPoolExecutor
    room: _Room

    def send(self, key: str, path: Path) -> "Future[int]":
        try:
            size = path.lstat().st_size
        except OSError:
            # Whoever opens it meets the same error, and tells it.
            size = 0
        return (self.one if size > PART_BYTES else self.pool).submit(self._put, key, path)

    def _put(self, key: str, path: Path) -> int:
        kind = {"Content-Type": _CONTENT_TYPES.get(path.suffix, "application/octet-stream")}
        try:
            file = open_regular(path)
        except OSError as error:
            raise _Changed(f"{path.name}: {error}") from error
        with file:
            size = os.fstat(file.fileno()).st_size
            if size > PART_BYTES:
                obstore.put(self.store, key, file, attributes=kind, chunk_size=PART_BYTES, max_concurrency=1)
            else:
                with self.room.taken(size):
                    obstore.put(self.store, key, file.read(size), attributes=kind, use_multipart=False)
        return size


class _SampleUpload:
    """One sample's files on their way: all but the first frame at once, then the first frame.

    `done` has the bytes sent, or the first error, when nothing of it is on its way any more.
    """

    def __init__(self, way: _Way, folder: str, files: list[Path], fingerprint: object) -> None:
        self.done: Future[int] = Future()
        self.fingerprint = fingerprint
        self.keys = [f"{folder}/{path.name}" for path in files]
        self._way, self._folder = way, folder
        self._bytes = 0
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._last = [path for path in files if path.name == FIRST_FRAME]
        others = [path for path in files if path.name != FIRST_FRAME]
        self._left = len(others)
        for path in others:
            self._send(path)

    def settle(self) -> BaseException | None:
        """Wait until nothing of it is on its way; the error that ended it, if one did."""
        return self.done.exception()

    def _send(self, path: Path) -> None:
        self._way.send(f"{self._folder}/{path.name}", path).add_done_callback(self._sent)

    def _sent(self, future: "Future[int]") -> None:
        with self._lock:
            self._left -= 1
            error = CancelledError() if future.cancelled() else future.exception()
            if error:
                self._error = self._error or error
            else:
                self._bytes += future.result()
            if self._left:
                return
            last = self._last.pop() if self._last and not self._error else None
            self._left = 1
        if last:
            self._send(last)
        elif self._error:
            self.done.set_exception(self._error)
        else:
            self.done.set_result(self._bytes)


def upload_archives(store: ObjectStore, generator: str, samples: Iterable[Sample]) -> Uploaded:
    """Store `samples`, one archive for each run of consecutive indices.

    Raises:
        BatchFailed: the bucket did not take something.
    """
    by_index = {sample.index: sample for sample in samples}
    stored, total = [], 0
    try:
        for indices in compress(by_index):
            key = keys.archive(keys.Archive(generator, indices))
            total += _upload_archive(store, key, generator, [by_index[i] for i in range(*indices)])
            stored.append(key)
    except (BaseError, OSError, ValueError) as error:
        raise _failed(error) from error
    return Uploaded(len(stored), total, tuple(stored))


def _upload_archive(store: ObjectStore, key: str, generator: str, samples: list[Sample]) -> int:
    writer = obstore.open_writer(
        store, key, attributes={"Content-Type": _CONTENT_TYPES[".gz"]}, buffer_size=PART_BYTES
    )
    counted = _Counted(writer)
    write_archive(counted, generator, samples)
    # Not in a `with`: closing is what makes the object, and half an archive must not become one.
    writer.close()
    return counted.bytes


class _Counted:
    """A file to write to that knows how much was written."""

    def __init__(self, writer: object) -> None:
        self._writer = writer
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self._writer.write(data)  # type: ignore[attr-defined]
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Parts leave when they are full."""


def write_archive(to: "IO[bytes] | _Counted", generator: str, samples: Iterable[Sample]) -> None:
    """A tar.gz with the samples under their planned names; nothing of this machine or hour in it."""
    with (
        gzip.GzipFile("", "wb", _GZIP_LEVEL, to, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for sample in samples:
            root = f"{keys.task_root(generator, sample.task)}/{keys.sample_name(sample.task, sample.index)}"
            for file in sample.files():
                member = tarfile.TarInfo(f"{root}/{file.name}")
                with open_regular(file) as content:
                    member.size = os.fstat(content.fileno()).st_size
                    tar.addfile(member, content)


def _failed(error: Exception) -> BatchFailed:
    return BatchFailed(Cause.UPLOAD, f"{type(error).__name__}: {str(error)[:500]}")
