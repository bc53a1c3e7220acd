"""What the embedded S3 could not write, to a full disk or a broken one, is not stored and not said to be.

ministack answers before it knows: a write that fails leaves a line in its log and the object in its memory.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    Query = MutableMapping[str, Any]
    Undo = Callable[[], None]

# S3 has no code for a full disk. Of an error of the server's, 500 and above, clients would ask for minutes again.
_CODE, _STATUS = "InsufficientStorage", 400
_WRITES = {"PUT", "POST", "DELETE"}


class CheckedWrites:
    """Has ministack's S3 answer with an error what it could not write, and keep what was there before.

    Args:
        s3: the module ``ministack.services.s3``.
    """

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._dispatch: Callable[..., Any] = s3._dispatch
        self._persist: Callable[..., None] = s3._persist_object
        self._remove: Callable[..., None] = s3._remove_key_files
        # Of the request that is being answered; None outside of one.
        self._failures: ContextVar[list[OSError] | None] = ContextVar("failures", default=None)

    def install(self) -> None:
        self._s3._dispatch = self.dispatch
        self._s3._persist_object = self.persist
        for name in ("_atomic_write", "_remove_key_files"):
            setattr(self._s3, name, self._noted(getattr(self._s3, name)))

    def dispatch(self, method: str, bucket: str, key: str, headers: object, body: bytes, query: Query) -> Any:
        """Answer one request of S3; with an error, if something of it was not written."""
        if method not in _WRITES:
            return self._dispatch(method, bucket, key, headers, body, query)
        undo = self._undo(bucket, key, query)
        failures: list[OSError] = []
        token = self._failures.set(failures)
        try:
            answer = self._dispatch(method, bucket, key, headers, body, query)
        finally:
            self._failures.reset(token)
        if not failures:
            return answer
        undo()
        message = f"the embedded AWS could not write to its disk: {failures[0]}"
        return self._s3._error(_CODE, message, _STATUS, f"/{bucket}/{key}")

    def persist(self, bucket: str, key: str, record: Any) -> None:
        """Write an object and its sidecar; what fails without an error of its own is noticed too."""
        self._persist(bucket, key, record)
        failures = self._failures.get()
        # ministack lets go of the content when it is written.
        if failures == [] and isinstance(record, dict) and record.get("body") is not None:
            failures.append(OSError(f"{key!r} was not written"))

    def _noted(self, write: Callable[..., None]) -> Callable[..., None]:
        """The same, noting the error that ministack will only log."""

        def noted(*arguments: Any, **options: Any) -> None:
            try:
                write(*arguments, **options)
            except OSError as error:
                failures = self._failures.get()
                if failures is not None:
                    failures.append(error)
                raise

        return noted

    def _undo(self, bucket: str, key: str, query: Query) -> Undo:
        """What brings back the object, and the upload, as they are now."""
        s3, objects = self._s3, (self._s3._buckets.get(bucket) or {"objects": {}})["objects"]
        before, versions = objects.get(key), list(s3._object_versions.get((bucket, key)) or [])
        upload_id = (query.get("uploadId") or [""])[0]
        upload = s3._multipart_uploads.get(upload_id)

        def undo() -> None:
            if before is not None:
                objects[key] = before
            elif objects.pop(key, None) is not None:
                with suppress(OSError):
                    self._remove(s3._object_disk_path(bucket, key))
            if versions:
                s3._object_versions[(bucket, key)] = versions
            if upload is not None:
                s3._completed_multipart_uploads.pop(upload_id, None)
                s3._multipart_uploads[upload_id] = upload

        return undo
