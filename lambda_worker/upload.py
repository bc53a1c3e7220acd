"""Puts whole samples into the bucket under their planned keys, many at once, without renaming anything on disk.

As files, a sample's ``first_frame.png`` goes when all its other files are there: a worker that dies half way
leaves torn samples, never ones that look whole. Samples may be given while the generator still runs. As
archives, one object holds a run of consecutive indices; it is packed straight into the upload, and the same
samples give the same bytes.
"""

import gzip
import tarfile
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from lambda_worker.collect import Sample
from lambda_worker.failure import BatchFailed
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.core.ranges import compress
from vbvrdatafactory.core.samples import FIRST_FRAME, read_regular

UPLOAD_THREADS = 32
# The one part of an archive that is held in memory; 5 MiB is S3's least.
PART_BYTES = 8 * 1024 * 1024

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
        self._store, self._generator = store, generator
        self._pool = ThreadPoolExecutor(UPLOAD_THREADS, thread_name_prefix="upload")
        self._given: dict[int, _SampleUpload] = {}
        self._replaced: list[_SampleUpload] = []

    def give(self, sample: Sample) -> None:
        """Send the sample, unless just these files of it were given before."""
        fingerprint = sample.fingerprint()
        if earlier := self._given.get(sample.index):
            if earlier.fingerprint == fingerprint:
                return
            # The later one is to have the last word on keys that both may have.
            earlier.done.exception()
            self._replaced.append(earlier)
        folder = keys.sample_folder(keys.SampleFolder(self._generator, sample.task, sample.index))
        self._given[sample.index] = _SampleUpload(self._pool, self._store, folder, sample, fingerprint)

    def finish(self, wanted: Iterable[int]) -> Uploaded:
        """Wait until all is there; what was given and is not `wanted` in the end is taken back.

        Raises:
            BatchFailed: the bucket did not take something.
        """
        try:
            total = sum(upload.done.result() for upload in self._given.values())
            not_wanted = [self._given.pop(index) for index in set(self._given) - set(wanted)]
            kept = {key for upload in self._given.values() for key in upload.keys}
            superfluous = {key for upload in (*not_wanted, *self._replaced) for key in upload.keys} - kept
            if superfluous:
                obstore.delete(self._store, sorted(superfluous))
        except (BaseError, OSError, ValueError) as error:
            raise _failed(error) from error
        return Uploaded(sum(len(upload.keys) for upload in self._given.values()), total)

    def close(self) -> None:
        """Drop what has not been sent yet."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class _SampleUpload:
    """One sample's files on their way: all but the first frame at once, then the first frame."""

    def __init__(
        self, pool: ThreadPoolExecutor, store: ObjectStore, folder: str, sample: Sample, fingerprint: object
    ) -> None:
        self.done: Future[int] = Future()
        self.fingerprint = fingerprint
        files = sample.files()
        self.keys = [f"{folder}/{path.name}" for path in files]
        self._bytes = 0
        self._lock = threading.Lock()
        self._pool, self._store, self._folder = pool, store, folder
        self._first = next(path for path in files if path.name == FIRST_FRAME)
        others = [path for path in files if path is not self._first]
        self._left = len(others)
        for path in others:
            self._send(path).add_done_callback(self._one_less)

    def _send(self, path: Path) -> "Future[int]":
        return self._pool.submit(_put_file, self._store, f"{self._folder}/{path.name}", path)

    def _one_less(self, future: "Future[int]") -> None:
        if self._counts(future):
            with self._lock:
                self._left -= 1
                last = not self._left
            if last:
                self._send(self._first).add_done_callback(self._finished)

    def _finished(self, future: "Future[int]") -> None:
        if self._counts(future):
            self.done.set_result(self._bytes)

    def _counts(self, future: "Future[int]") -> bool:
        """Whether the file is there; its error is the sample's."""
        if future.cancelled():
            return False
        with self._lock:
            if error := future.exception():
                if not self.done.done():
                    self.done.set_exception(error)
                return False
            self._bytes += future.result()
            return True


def _put_file(store: ObjectStore, key: str, path: Path) -> int:
    data = read_regular(path)
    kind = _CONTENT_TYPES.get(path.suffix, "application/octet-stream")
    obstore.put(store, key, data, attributes={"Content-Type": kind}, use_multipart=False)
    return len(data)


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
                content = read_regular(file)
                member.size = len(content)
                tar.addfile(member, BytesIO(content))


def _failed(error: Exception) -> BatchFailed:
    return BatchFailed(Cause.UPLOAD, f"{type(error).__name__}: {str(error)[:500]}")
