"""Puts whole samples into the bucket as archives, one for each run of consecutive indices.

An archive is packed straight into its upload, and the same samples give the same bytes. What is packed is read
once, and its digest taken on the way.
"""

import gzip
import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import IO

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from lambda_worker.samples.collect import Sample
from lambda_worker.samples.upload import PART_BYTES, Uploaded, UploadedSample, e_tag_of, failed
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.content import HashedFile
from vbvrdatafactory.core.ranges import compress
from vbvrdatafactory.core.records import StoredArchive
from vbvrdatafactory.files import open_regular

# The fastest level already packs frames to a third; more effort costs CPU that is billed.
_GZIP_LEVEL = 1


def upload_archives(store: ObjectStore, generator: str, samples: Iterable[Sample]) -> Uploaded:
    """Store `samples`, one archive for each run of consecutive indices.

    Raises:
        BatchFailed: the bucket did not take something.
    """
    by_index = {sample.index: sample for sample in samples}
    stored: list[StoredArchive] = []
    packed: dict[int, UploadedSample] = {}
    try:
        for indices in compress(by_index):
            archive = _Archive(generator, [by_index[index] for index in range(*indices)])
            key = keys.archive(keys.Archive(generator, indices))
            e_tag = _put(store, key, archive.pieces())
            stored.append(StoredArchive(key.removeprefix(keys.QUESTIONS), indices, archive.size, e_tag))
            packed.update(archive.packed)
    except (BaseError, OSError, ValueError) as error:
        raise failed(error) from error
    return Uploaded(len(stored), sum(archive.size for archive in stored), tuple(stored), packed)


def _put(store: ObjectStore, key: str, pieces: Iterator[bytes]) -> str:
    """Put an archive, in parts where it is large; returns its ETag. If packing fails there is no object."""
    kind = {"Content-Type": "application/gzip"}
    first = b""
    for piece in pieces:
        first += piece
        if len(first) > PART_BYTES:
            parts = chain([first], pieces)
            done = obstore.put(store, key, parts, attributes=kind, chunk_size=PART_BYTES, max_concurrency=1)
            return e_tag_of(done)
    return e_tag_of(obstore.put(store, key, first, attributes=kind, use_multipart=False))


class _Archive:
    """An archive of some samples, packed as it is read.

    Attributes:
        packed: the samples that are packed, by index.
        size: bytes of the archive so far.
    """

    def __init__(self, generator: str, samples: Iterable[Sample]) -> None:
        self._generator = generator
        self._samples = samples
        self.packed: dict[int, UploadedSample] = {}
        self.size = 0

    def pieces(self) -> Iterator[bytes]:
        """The archive's bytes: a piece for each sample, at most."""
        buffer = io.BytesIO()
        with open_archive(buffer) as tar:
            for sample in self._samples:
                self.packed[sample.index] = add_sample(tar, self._generator, sample)
                yield from self._drained(buffer)
        yield from self._drained(buffer)

    def _drained(self, buffer: io.BytesIO) -> Iterator[bytes]:
        piece = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        self.size += len(piece)
        if piece:
            yield piece


@contextmanager
def open_archive(to: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """A tar.gz to write to; nothing of this machine or hour is in it."""
    with (
        gzip.GzipFile("", "wb", _GZIP_LEVEL, to, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        yield tar


def add_sample(tar: tarfile.TarFile, generator: str, sample: Sample) -> UploadedSample:
    """Add the sample's files under their planned names."""
    root = f"{keys.task_root(generator, sample.task)}/{keys.sample_name(sample.task, sample.index)}"
    contents = {}
    for path in sample.files():
        member = tarfile.TarInfo(f"{root}/{path.name}")
        with open_regular(path) as file:
            member.size = os.fstat(file.fileno()).st_size
            hashed = HashedFile(file)
            tar.addfile(member, hashed)
        contents[path.name] = hashed.content
    return UploadedSample.of(contents)
