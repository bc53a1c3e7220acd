"""Puts whole samples into the bucket under their planned keys, many at once, without renaming anything on disk.

As files, a sample's ``first_frame.png`` goes last, after everything else of the whole batch is there: a
worker that dies half way leaves torn samples, never ones that look whole. As archives, one object holds a
run of consecutive indices, and the same samples give the same bytes.
"""

import gzip
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from lambda_worker.collect import Sample
from lambda_worker.failure import BatchFailed
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import Cause, OutputFormat
from vbvrdatafactory.core.ranges import compress
from vbvrdatafactory.core.samples import FIRST_FRAME

UPLOAD_THREADS = 32

_CONTENT_TYPES = {
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".gz": "application/gzip",
}
# Frames and videos are compressed already: more effort buys nothing.
_GZIP_LEVEL = 1


class _Put(NamedTuple):
    key: str
    path: Path


class Uploaded(NamedTuple):
    """What went into the bucket."""

    files: int
    bytes: int
    archives: tuple[str, ...] = ()


def upload(
    store: ObjectStore, generator: str, samples: list[Sample], output_format: OutputFormat, work: Path
) -> Uploaded:
    """Store `samples` of `generator`; archives are built in the folder `work`.

    Raises:
        BatchFailed: the bucket did not take something.
    """
    try:
        if output_format == "tar":
            return _upload_archives(store, generator, samples, work)
        return _upload_files(store, generator, samples)
    except (BaseError, OSError) as error:
        raise BatchFailed(Cause.UPLOAD, f"{type(error).__name__}: {str(error)[:500]}") from error


def _upload_files(store: ObjectStore, generator: str, samples: list[Sample]) -> Uploaded:
    puts = list(chain.from_iterable(_puts(generator, sample) for sample in samples))
    first_frames = [put for put in puts if put.path.name == FIRST_FRAME]
    others = [put for put in puts if put.path.name != FIRST_FRAME]
    with ThreadPoolExecutor(UPLOAD_THREADS, thread_name_prefix="upload") as pool:
        sizes = [*pool.map(lambda put: _put(store, put), others)]
        sizes += pool.map(lambda put: _put(store, put), first_frames)
    return Uploaded(len(puts), sum(sizes))


def _puts(generator: str, sample: Sample) -> Iterator[_Put]:
    folder = keys.sample_folder(keys.SampleFolder(generator, sample.task, sample.index))
    return (_Put(f"{folder}/{path.name}", path) for path in sample.files())


def _put(store: ObjectStore, put: _Put) -> int:
    data = put.path.read_bytes()
    kind = _CONTENT_TYPES.get(put.path.suffix, "application/octet-stream")
    obstore.put(store, put.key, data, attributes={"Content-Type": kind}, use_multipart=False)
    return len(data)


def _upload_archives(store: ObjectStore, generator: str, samples: list[Sample], work: Path) -> Uploaded:
    by_index = {sample.index: sample for sample in samples}
    stored, total = [], 0
    for indices in compress(by_index):
        key = keys.archive(keys.Archive(generator, indices))
        path = work / "archive.tar.gz"
        write_archive(path, generator, (by_index[index] for index in range(*indices)))
        with path.open("rb") as file:
            obstore.put(store, key, file, attributes={"Content-Type": _CONTENT_TYPES[".gz"]})
        total += path.stat().st_size
        stored.append(key)
        path.unlink()
    return Uploaded(len(stored), total, tuple(stored))


def write_archive(path: Path, generator: str, samples: Iterable[Sample]) -> None:
    """A tar.gz at `path` with the samples under their planned names; nothing of this machine or hour in it."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for sample in samples:
            root = f"{keys.task_root(generator, sample.task)}/{keys.sample_name(sample.task, sample.index)}"
            for file in sample.files():
                member = tarfile.TarInfo(f"{root}/{file.name}")
                member.size = file.stat().st_size
                with file.open("rb") as content:
                    tar.addfile(member, content)
