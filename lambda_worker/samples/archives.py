"""Puts whole samples into the bucket as archives, one for each run of consecutive indices.

An archive is packed straight into its upload, and the same samples give the same bytes. What is packed is read
once, and its digest taken on the way.
"""

import gzip
import os
import tarfile
from collections.abc import Iterable
from typing import IO

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from lambda_worker.samples.collect import Sample
from lambda_worker.samples.content import HashedFile, content_digest
from lambda_worker.samples.upload import PART_BYTES, Uploaded, failed
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.ranges import compress
from vbvrdatafactory.files import open_regular

# The fastest level already packs frames to a third; more effort costs CPU that is billed.
_GZIP_LEVEL = 1


def upload_archives(store: ObjectStore, generator: str, samples: Iterable[Sample]) -> Uploaded:
    """Store `samples`, one archive for each run of consecutive indices.

    Raises:
        BatchFailed: the bucket did not take something.
    """
    by_index = {sample.index: sample for sample in samples}
    stored, total, digests = [], 0, {}
    try:
        for indices in compress(by_index):
            key = keys.archive(keys.Archive(generator, indices))
            size, contents = _upload_archive(store, key, generator, [by_index[i] for i in range(*indices)])
            total += size
            digests.update(contents)
            stored.append(key)
    except (BaseError, OSError, ValueError) as error:
        raise failed(error) from error
    return Uploaded(len(stored), total, tuple(stored), digests)


def _upload_archive(
    store: ObjectStore, key: str, generator: str, samples: list[Sample]
) -> tuple[int, dict[int, str]]:
    """Bytes of the archive, and the content digest of each sample in it."""
    writer = obstore.open_writer(
        store, key, attributes={"Content-Type": "application/gzip"}, buffer_size=PART_BYTES
    )
    counted = _Counted(writer)
    digests = write_archive(counted, generator, samples)
    # Not in a `with`: closing is what makes the object, and half an archive must not become one.
    writer.close()
    return counted.bytes, digests


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


def write_archive(to: "IO[bytes] | _Counted", generator: str, samples: Iterable[Sample]) -> dict[int, str]:
    """A tar.gz with the samples under their planned names; nothing of this machine or hour in it.

    Returns:
        The content digest of each sample, by its index.
    """
    digests = {}
    with (
        gzip.GzipFile("", "wb", _GZIP_LEVEL, to, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for sample in samples:
            root = f"{keys.task_root(generator, sample.task)}/{keys.sample_name(sample.task, sample.index)}"
            contents = {}
            for path in sample.files():
                member = tarfile.TarInfo(f"{root}/{path.name}")
                with open_regular(path) as file:
                    member.size = os.fstat(file.fileno()).st_size
                    hashed = HashedFile(file)
                    tar.addfile(member, hashed)
                contents[path.name] = hashed.content
            digests[sample.index] = content_digest(contents)
    return digests
