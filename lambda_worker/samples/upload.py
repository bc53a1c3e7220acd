"""Puts whole samples into the bucket as files, under their planned keys, many at once.

A sample's ``first_frame.png`` goes when all its other files are there: a worker that dies half way
leaves torn samples, never ones that look whole. Samples may be uploaded while the generator still runs. Each file is
read once, and hashed on the way.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore

from lambda_worker.failure import BatchFailed
from lambda_worker.samples.collect import Sample
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.content import FileContent, HashedFile, content_digest, metadata_digest
from vbvrdatafactory.core.contract import FIRST_FRAME
from vbvrdatafactory.core.records import StoredArchive, StoredObject
from vbvrdatafactory.files import open_regular
from vbvrdatafactory.s3.checksums import unquoted

if TYPE_CHECKING:
    from obstore import PutResult

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


class UploadedSample(NamedTuple):
    """One sample as it was uploaded.

    Args:
        digest: of its content.
        metadata: digest of its other files; empty where it has none.
        objects: its files as the bucket took them; empty in an archive.
    """

    digest: str
    metadata: str
    objects: tuple[StoredObject, ...] = ()

    @classmethod
    def of(
        cls, contents: Mapping[str, FileContent], objects: Iterable[StoredObject] = ()
    ) -> "UploadedSample":
        """The sample with these files."""
        return cls(content_digest(contents), metadata_digest(contents), tuple(sorted(objects)))


class Uploaded(NamedTuple):
    """What was uploaded: counts, archives, and each sample by its index."""

    files: int
    bytes: int
    archives: tuple[StoredArchive, ...]
    samples: dict[int, UploadedSample]

    def and_then(self, later: "Uploaded") -> "Uploaded":
        """The sum of two uploads of one batch, one after the other."""
        return Uploaded(
            self.files + later.files,
            self.bytes + later.bytes,
            self.archives + later.archives,
            {**self.samples, **later.samples},
        )


class FileUploads:
    """Uploads of a batch's samples as files.

    Args:
        store: the bucket.
        generator: whose samples they are.
    """

    def __init__(self, store: ObjectStore, generator: str) -> None:
        self._uploader = _Uploader(
            store,
            ThreadPoolExecutor(UPLOAD_THREADS, thread_name_prefix="upload"),
            ThreadPoolExecutor(1, thread_name_prefix="upload-large"),
            _MemoryBudget(_ROOM_BYTES),
        )
        self._generator = generator
        self._uploads: dict[int, _SampleUpload] = {}
        self._replaced: list[_SampleUpload] = []

    def upload(self, sample: Sample) -> None:
        """Upload the sample in the background, unless exactly these files of it were uploaded before.

        Raises:
            OSError: its files are not there to be looked at.
        """
        fingerprint = sample.fingerprint()
        earlier = self._uploads.get(sample.index)
        if earlier is None or earlier.fingerprint != fingerprint:
            self._send(sample, fingerprint)

    def _send(self, sample: Sample, fingerprint: object) -> None:
        if earlier := self._uploads.get(sample.index):
            # Both may have the same keys: the later upload must come last.
            earlier.settle()
            self._replaced.append(earlier)
        folder = keys.sample_folder(keys.SampleFolder(self._generator, sample.task, sample.index))
        self._uploads[sample.index] = _SampleUpload(self._uploader, folder, sample.files(), fingerprint)

    def finish(self, samples: Iterable[Sample]) -> Uploaded:
        """Wait until `samples`, as they are now, are uploaded; delete whatever else was uploaded.

        Call it when the generator has ended: samples that changed since they were uploaded are uploaded again.

        Raises:
            BatchFailed: the bucket did not take something.
        """
        try:
            wanted = {sample.index: sample for sample in samples}
            for sample in wanted.values():
                self.upload(sample)
            for index, sample in wanted.items():
                if isinstance(self._uploads[index].settle(), _Changed):
                    self._send(sample, sample.fingerprint())
            uploads = {index: self._uploads.pop(index) for index in wanted}
            total = sum(upload.done.result() for upload in uploads.values())
            self._delete_others({key for upload in uploads.values() for key in upload.keys})
        except (BaseError, OSError, ValueError, _Changed) as error:
            raise failed(error) from error
        files = sum(len(upload.keys) for upload in uploads.values())
        return Uploaded(files, total, (), {index: upload.uploaded for index, upload in uploads.items()})

    def _delete_others(self, kept: set[str]) -> None:
        others = [*self._uploads.values(), *self._replaced]
        for upload in others:
            upload.settle()
        if superfluous := {key for upload in others for key in upload.keys} - kept:
            obstore.delete(self._uploader.store, sorted(superfluous))

    def close(self) -> None:
        """Cancel uploads that have not begun, and wait for the others: a next run's must not come before them."""
        self._shut(wait=True)

    def abandon(self) -> None:
        """Cancel uploads that have not begun, and wait for none."""
        self._shut(wait=False)

    def _shut(self, *, wait: bool) -> None:
        for pool in (self._uploader.pool, self._uploader.one):
            pool.shutdown(wait=wait, cancel_futures=True)


class _Changed(Exception):  # noqa: N818 - nothing failed: a generator may do so while it runs
    """A file was no longer the one that was given."""


class _MemoryBudget:
    """Limits the bytes of files that are in memory at once."""

    def __init__(self, size: int) -> None:
        self._free = self._size = size
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Wait until `size` bytes are free, and take them for the block."""
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


class _Uploader(NamedTuple):
    """Uploads files: most of them side by side, large ones in parts and one at a time."""

    store: ObjectStore
    pool: ThreadPoolExecutor
    one: ThreadPoolExecutor
    room: _MemoryBudget

    def send(self, key: str, path: Path) -> "Future[_Put]":
        try:
            size = path.lstat().st_size
        except OSError:
            # Opening it raises the same error.
            size = 0
        return (self.one if size > PART_BYTES else self.pool).submit(self._put, key, path)

    def _put(self, key: str, path: Path) -> "_Put":
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
                done = obstore.put(
                    self.store, key, pieces, attributes=kind, chunk_size=PART_BYTES, max_concurrency=1
                )
                return _Put(large.content, e_tag_of(done))
            with self.room.taken(size):
                data = file.read(size)
                done = obstore.put(self.store, key, data, attributes=kind, use_multipart=False)
                return _Put(FileContent.of(data), e_tag_of(done))


class _Put(NamedTuple):
    """One file as it was put: what was read, and the ETag that the bucket returned."""

    content: FileContent
    e_tag: str


def e_tag_of(done: "PutResult") -> str:
    """The ETag of an object that was just put, without quotes."""
    return unquoted(done["e_tag"])


class _SampleUpload:
    """The upload of one sample: all files but the first frame at once, then the first frame.

    `done` has the bytes uploaded, or the first error, when none of its files is being uploaded any more.
    """

    def __init__(self, uploader: _Uploader, folder: str, files: list[Path], fingerprint: object) -> None:
        self.done: Future[int] = Future()
        self.fingerprint = fingerprint
        self.keys = [f"{folder}/{path.name}" for path in files]
        self._uploader, self._folder = uploader, folder
        self._put: dict[str, _Put] = {}
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._last = [path for path in files if path.name == FIRST_FRAME]
        others = [path for path in files if path.name != FIRST_FRAME]
        self._left = len(others)
        for path in others:
            self._send(path)

    @property
    def uploaded(self) -> UploadedSample:
        """The sample as it was uploaded."""
        stored = (StoredObject(name, put.content.size, put.e_tag) for name, put in self._put.items())
        return UploadedSample.of({name: put.content for name, put in self._put.items()}, stored)

    def settle(self) -> BaseException | None:
        """Wait until it has ended; the error that ended it, if one did."""
        return self.done.exception()

    def _send(self, path: Path) -> None:
        sending = self._uploader.send(f"{self._folder}/{path.name}", path)
        sending.add_done_callback(partial(self._sent, path.name))

    def _sent(self, name: str, future: "Future[_Put]") -> None:
        with self._lock:
            self._left -= 1
            error = CancelledError() if future.cancelled() else future.exception()
            if error:
                self._error = self._error or error
            else:
                self._put[name] = future.result()
            if self._left:
                return
            last = self._last.pop() if self._last and not self._error else None
            self._left = 1
        if last:
            try:
                self._send(last)
            except RuntimeError as abandoned:
                # Its pool takes no more: nobody waits for this upload, and it must not be waited for for ever.
                self.done.set_exception(abandoned)
        elif self._error:
            self.done.set_exception(self._error)
        else:
            self.done.set_result(sum(put.content.size for put in self._put.values()))


def failed(error: Exception) -> BatchFailed:
    """The failure of a batch whose upload failed; a bucket that refuses this worker would refuse it again."""
    refused = isinstance(error, PermissionDeniedError | UnauthenticatedError)
    cause = Cause.ACCESS_DENIED if refused else Cause.UPLOAD
    return BatchFailed(cause, f"{type(error).__name__}: {str(error)[:500]}")


def within(seconds: float, upload: Callable[[], Uploaded]) -> Uploaded:
    """What `upload` returns, if that is soon enough: a call that hangs must leave time to say so.

    Raises:
        BatchFailed: the bucket did not take something, or not in time.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="finish")
    try:
        return pool.submit(upload).result(max(0.1, seconds))
    except TimeoutError:
        raise BatchFailed(
            Cause.UPLOAD, f"the bucket did not take everything within {seconds:.0f} s"
        ) from None
    finally:
        pool.shutdown(wait=False)
