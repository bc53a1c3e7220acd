"""What lies on disk is what the embedded S3 has: files that people delete or edit below it while it runs.

ministack keeps the index of its objects in memory and reads the disk at its start alone. Here it looks at the
files of what it is asked for: one for an object, those of one page for a listing. Nothing is found that way
that was not put through S3; a file somebody places there is an object from the next start on.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping

    Record = MutableMapping[str, Any]
    Objects = MutableMapping[str, Record]

# How the file was when the record agreed with it, kept in the record.
_SEEN = "datafactory_seen"


class DiskTruth:
    """Has ministack's S3 look at its files before it answers.

    Args:
        s3: the module ``ministack.services.s3``.
    """

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._dispatch: Callable[..., Any] = s3._dispatch
        self._collect: Callable[..., Any] = s3._collect_list_entries
        self._persist: Callable[..., None] = s3._persist_object
        # Whose entries are collected; its caller knows.
        self._bucket: ContextVar[str] = ContextVar("bucket")

    def install(self) -> None:
        self._s3._dispatch = self.dispatch
        self._s3._collect_list_entries = self.collect

    def dispatch(
        self,
        method: str,
        bucket: str,
        key: str,
        headers: MutableMapping[str, str],
        body: bytes,
        query: MutableMapping[str, Any],
    ) -> Any:
        """Answer one request of S3, having looked at the objects it names."""
        self._bucket.set(bucket)
        if key:
            self._look(bucket, [key])
        elif "versions" in query:
            self._look(bucket, list(self._objects(bucket)))
        if source := headers.get("x-amz-copy-source"):
            origin, _, name = unquote(source.partition("?")[0]).lstrip("/").partition("/")
            self._look(origin, [name])
        return self._dispatch(method, bucket, key, headers, body, query)

    def collect(self, objects: Objects, prefix: str, delimiter: str, *page: Any) -> Any:
        """Collect one page of a listing, again if files of it are gone."""
        bucket = self._bucket.get()
        if delimiter:
            # A folder is listed for any one of its files.
            self._look(bucket, [key for key in objects if key.startswith(prefix)])
            return self._collect(objects, prefix, delimiter, *page)
        found = self._collect(objects, prefix, delimiter, *page)
        if self._look(bucket, found[0]):
            # Where one is gone more may be; else each page that has lost one would be collected twice.
            self._look(bucket, [key for key in objects if key.startswith(prefix)])
            found = self._collect(objects, prefix, delimiter, *page)
        return found

    def _objects(self, bucket: str) -> Objects:
        found: Objects = (self._s3._buckets.get(bucket) or {"objects": {}})["objects"]
        return found

    def _look(self, bucket: str, keys: Iterable[str]) -> bool:
        """Make the index say of these keys what the disk does; whether one is gone."""
        objects, gone = self._objects(bucket), False
        folder = f"{self._s3.DATA_DIR}/{self._s3.get_account_id()}/{bucket}/"
        for key in keys:
            record = objects.get(key)
            if record is None or record.get("body") is not None:
                continue
            path = folder + key if self._s3._plain_path_key(key) else ""
            now = _file(path) or _file(path := self._s3._object_disk_path(bucket, key))
            if now is None:
                objects.pop(key, None)
                gone = True
            elif not _agrees(record, path, now):
                self._take_over(bucket, key, record, path, now)
        return gone

    def _take_over(self, bucket: str, key: str, record: Record, path: str, now: os.stat_result) -> None:
        """Let the record describe the file as it has become."""
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        when = datetime.fromtimestamp(now.st_mtime, UTC).isoformat(timespec="milliseconds")
        record.update(size=now.st_size, etag=f'"{digest}"', last_modified=when.replace("+00:00", "Z"))
        record.update(checksums={}, checksum_type=None, parts=None)
        record[_SEEN] = (now.st_size, now.st_mtime_ns)
        self._persist(bucket, key, record)


def _file(path: str) -> os.stat_result | None:
    """The file as it is; None if there is none, or something else."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path costs as much again, and there are many
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _agrees(record: Record, path: str, now: os.stat_result) -> bool:
    seen = (now.st_size, now.st_mtime_ns)
    if _SEEN in record:
        return bool(record[_SEEN] == seen)
    # Its sidecar was written after it.
    sidecar = _file(f"{path}.meta.json")
    if now.st_size != record["size"] or (sidecar and sidecar.st_mtime_ns < now.st_mtime_ns):
        return False
    record[_SEEN] = seen
    return True
