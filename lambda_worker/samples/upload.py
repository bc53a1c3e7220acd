"""Puts whole samples into the bucket as files, under their planned keys, many at once.

A sample's ``first_frame.png`` goes when all its other files are there: a worker that dies half way
leaves torn samples, never ones that look whole. Samples may be given while the generator still runs. What is
sent is read once, and its digest taken on the way.
"""

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from lambda_worker.failure import BatchFailed
from lambda_worker.samples.collect import Sample
from lambda_worker.samples.content import FileContent, HashedFile, content_digest
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.contract import FIRST_FRAME
from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.files import open_regular

UPLOAD_THREADS = 32
# The one part of a large file that is held in memory; 5 MiB is S3's least.
PART_BYTES = 8 * 1024 * 1024
# Files of one batch that are in memory at once.
_ROOM_BYTES = 32 * 1024 * 1024

CONTENT_TYPES = {
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
}


class Uploaded(NamedTuple):
    """What went into the bucket, with the content digest of each sample by its index."""

    files: int
    bytes: int
    archives: tuple[str, ...]
    digests: dict[int, str]

    def and_then(self, later: "Uploaded") -> "Uploaded":
        """What two uploads of one batch put there, one after the other."""
        return Uploaded(
            self.files + later.files,
            self.bytes + later.bytes,
            self.archives + later.archives,
            {**self.digests, **later.digests},
        )


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
            raise failed(error) from error
        files = sum(len(upload.keys) for upload in uploads.values())
        return Uploaded(files, total, (), {index: upload.digest for index, upload in uploads.items()})

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

    def send(self, key: str, path: Path) -> "Future[FileContent]":
        try:
            size = path.lstat().st_size
        except OSError:
            # Whoever opens it meets the same error, and tells it.
            size = 0
        return (self.one if size > PART_BYTES else self.pool).submit(self._put, key, path)

    def _put(self, key: str, path: Path) -> FileContent:
        kind = {"Content-Type": CONTENT_TYPES.get(path.suffix, "application/octet-stream")}
        try:
            file = open_regular(path)
        except OSError as error:
            raise _Changed(f"{path.name}: {error}") from error
        with file:
            size = os.fstat(file.fileno()).st_size
            if size > PART_BYTES:
                large = HashedFile(file)
                pieces = large.pieces()
                obstore.put(
                    self.store, key, pieces, attributes=kind, chunk_size=PART_BYTES, max_concurrency=1
                )
                return large.content
            with self.room.taken(size):
                data = file.read(size)
                obstore.put(self.store, key, data, attributes=kind, use_multipart=False)
                return FileContent.of(data)


class _SampleUpload:
    """One sample's files on their way: all but the first frame at once, then the first frame.

    `done` has the bytes sent, or the first error, when nothing of it is on its way any more.
    """

    def __init__(self, way: _Way, folder: str, files: list[Path], fingerprint: object) -> None:
        self.done: Future[int] = Future()
        self.fingerprint = fingerprint
        self.keys = [f"{folder}/{path.name}" for path in files]
        self._way, self._folder = way, folder
        self._contents: dict[str, FileContent] = {}
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._last = [path for path in files if path.name == FIRST_FRAME]
        others = [path for path in files if path.name != FIRST_FRAME]
        self._left = len(others)
        for path in others:
            self._send(path)

    @property
    def digest(self) -> str:
        """The content digest of the sample as it was sent."""
        return content_digest(self._contents)

    def settle(self) -> BaseException | None:
        """Wait until nothing of it is on its way; the error that ended it, if one did."""
        return self.done.exception()

    def _send(self, path: Path) -> None:
        sending = self._way.send(f"{self._folder}/{path.name}", path)
        sending.add_done_callback(partial(self._sent, path.name))

    def _sent(self, name: str, future: "Future[FileContent]") -> None:
        with self._lock:
            self._left -= 1
            error = CancelledError() if future.cancelled() else future.exception()
            if error:
                self._error = self._error or error
            else:
                self._contents[name] = future.result()
            if self._left:
                return
            last = self._last.pop() if self._last and not self._error else None
            self._left = 1
        if last:
            self._send(last)
        elif self._error:
            self.done.set_exception(self._error)
        else:
            self.done.set_result(sum(file.size for file in self._contents.values()))


def failed(error: Exception) -> BatchFailed:
    """The failure of a batch of which the bucket did not take something."""
    return BatchFailed(Cause.UPLOAD, f"{type(error).__name__}: {str(error)[:500]}")
