"""A prefix of a bucket as a target for releases.

Each object has the SHA-256 of its file in its metadata, so that a later call knows what is there; that it is what was sent is told
by its ETag, wherever that is a digest.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore

from vbvrdatafactory.driver.release_files import content_type
from vbvrdatafactory.driver.release_publish import NoTargetError, TargetError
from vbvrdatafactory.driver.release_source import PublishError, Source
from vbvrdatafactory.release.layout import CARD
from vbvrdatafactory.release.publishing import S3, ListedFile, LocalFile, Step
from vbvrdatafactory.s3 import reading
from vbvrdatafactory.s3.checksums import unquoted
from vbvrdatafactory.s3.records import READ_THREADS

# An upload of more is one of parts; 5 TiB are 10,000 parts of half a gigabyte, a shard of 1 GB are 60.
_PART = 16 * 1024 * 1024
_MOST_PARTS = 10_000
_DIGEST = "sha256"
_MD5_LENGTH = 32
_UNKNOWN = "unknown"


class BucketPrefix:
    """A prefix of a bucket.

    Args:
        store: what lies below it.
        name: how it is shown.
    """

    def __init__(self, store: ObjectStore, name: str) -> None:
        self._store, self.name, self.limits = store, name, S3
        self.repository: str | None = None

    def prepare(self) -> None:
        """A bucket is its owner's to make."""

    def listed(self) -> Mapping[str, ListedFile]:
        with self._explained("can't be listed"), ThreadPoolExecutor(READ_THREADS, "look") as pool:
            found = [each for page in obstore.list(self._store) for each in page]
            digests = pool.map(lambda each: self._digest(each["path"], each["size"]), found)
            return {
                each["path"]: ListedFile(each["path"], each["size"], digest)
                for each, digest in zip(found, digests, strict=True)
            }

    def read(self, path: str) -> bytes | None:
        with self._explained(f"can't be read at {path}"):
            try:
                return reading.read(self._store, path).data
            except FileNotFoundError:
                return None

    def send(self, step: Step, source: Source, message: str, on_sent: Callable[[int], None]) -> None:  # noqa: ARG002 - of commits
        with self._explained("took not all"):
            # Who finds a card finds the rest.
            for file in sorted(step.files, key=lambda file: file.path == CARD):
                self._put(file, source, on_sent)
            for path in step.deleted:
                obstore.delete(self._store, path)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Errors of S3 as ours: what another try may mend, and what not."""
        try:
            yield
        except FileNotFoundError as error:
            raise NoTargetError(f"{self.name} {what}: there is no such bucket") from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise PublishError(
                f"{self.name} {what}: access denied; ask for it, or set AWS_PROFILE"
            ) from error
        except BaseError as error:
            raise TargetError(f"{self.name} {what}: {str(error).partition(chr(10))[0]}") from error

    def _put(self, file: LocalFile, source: Source, on_sent: Callable[[int], None]) -> None:
        part = max(_PART, -(-file.size // _MOST_PARTS))
        parts = _Parts(source.content(file), part, on_sent)
        attributes = {"Content-Type": content_type(file.path), _DIGEST: file.sha256}
        is_large = file.size > part
        data = iter(parts) if is_large else b"".join(parts)
        put = obstore.put(
            self._store, file.path, data, attributes=attributes, use_multipart=is_large, chunk_size=part
        )
        if parts.sha256 != file.sha256:
            obstore.delete(self._store, file.path)
            raise PublishError(f"{file.path} was changed while it was read; run 'datafactory release check'")
        tag = unquoted(put["e_tag"])
        is_digest = len(tag.partition("-")[0]) == _MD5_LENGTH
        if (
            is_digest
            and tag != parts.e_tag(is_large=is_large)
            and reading.e_tag_is_md5(self._store, file.path)
        ):
            raise TargetError(f"{self.name} has taken other bytes as {file.path}: ETag {tag}")

    def _digest(self, path: str, size: int) -> str:
        """The SHA-256 in an object's metadata; what no file has where there is none."""
        if not size:
            # Of nothing S3 gives no first byte.
            return _UNKNOWN
        try:
            found = obstore.get(self._store, path, options={"range": (0, 1)})
        except FileNotFoundError:
            return _UNKNOWN
        return str(found.attributes.get(_DIGEST, _UNKNOWN))


class _Parts:
    """A file in parts of one size, as they are read, with what S3 calls their content by."""

    def __init__(self, content: Path | bytes, size: int, on_read: Callable[[int], None]) -> None:
        self._content, self._size, self._on_read = content, size, on_read
        self._md5s: list[bytes] = []
        self._sha256 = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for data in self._pieces():
            self._md5s.append(hashlib.md5(data, usedforsecurity=False).digest())
            self._sha256.update(data)
            yield data
            self._on_read(len(data))

    def _pieces(self) -> Iterator[bytes]:
        if isinstance(self._content, bytes):
            yield self._content
            return
        with self._content.open("rb") as file:
            while data := file.read(self._size):
                yield data

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def e_tag(self, *, is_large: bool) -> str:
        """The ETag of an object that was put at once or in these parts."""
        if is_large:
            joined = hashlib.md5(b"".join(self._md5s), usedforsecurity=False).hexdigest()
            return f"{joined}-{len(self._md5s)}"
        return self._md5s[0].hex() if self._md5s else hashlib.md5(b"", usedforsecurity=False).hexdigest()
