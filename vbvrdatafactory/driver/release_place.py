"""Where a release lies: a folder of this machine, or a prefix of a bucket."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.store import LocalStore, ObjectStore

from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import ReleaseError

# Of two letters or more: one and a colon may be a drive.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# What a build needs until the release is whole.
BUILD = "_build/"
# The next revision, until it is in place.
NEXT = f"{BUILD}next/"
# What their generators say of samples, as a build has read it.
PUZZLES = f"{BUILD}puzzles/"


@dataclass(frozen=True)
class Place:
    """A folder, or a prefix of a bucket; it can be handed to another process.

    Args:
        folder: the folder; None where it is a bucket's.
        bucket: the bucket.
        prefix: the prefix in it, without a slash at either end; empty for the bucket itself.
        config: region and endpoint of the bucket.
        identity: the credentials to use there; default those of the environment.
    """

    folder: Path | None = None
    bucket: str = ""
    prefix: str = ""
    config: Config | None = None
    identity: aws.Identity = aws.NOBODY_ELSE

    def __str__(self) -> str:
        return str(self.folder) if self.folder else f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def store(self) -> ObjectStore:
        """What lies there; a folder is made."""
        if self.folder:
            return LocalStore(self.folder, mkdir=True)
        return aws.bucket(self.config or Config(), self.bucket, self.identity, prefix=self.prefix)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for files that are not whole yet, which goes when the block ends."""
        beside = None
        if self.folder:
            # On the same disk a file is moved into place at once.
            beside = self.folder / BUILD / "scratch"
            beside.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=beside, prefix="datafactory-") as made:
                yield Path(made)
        finally:
            for folder in (beside, beside.parent) if beside else ():
                # Others may use it, and a build that has not ended does.
                with suppress(OSError):
                    folder.rmdir()

    def take(self, file: Path, path: str) -> None:
        """Move a whole file there: it is there completely, or not at all."""
        if self.folder:
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
            return
        obstore.put(self.store(), path, file)
        file.unlink()


def parse_folder(text: str) -> Path:
    """The folder that a person wrote.

    Raises:
        ReleaseError: it is an address.
    """
    if _SCHEME.match(text):
        raise ReleaseError(f"{text[:200]!r} is no folder; take one (./{text[:200]} for one of that name)")
    return Path(text).absolute()


def parse_place(text: str, config: Config) -> Place:
    """The place that a person wrote: ``s3://bucket/prefix``, or a folder. What begins like another address is none.

    Raises:
        ReleaseError: it is another kind of address.
    """
    if not _SCHEME.match(text):
        return Place(parse_folder(text))
    if text.startswith("hf:"):
        raise ReleaseError(
            f"{text[:200]!r} is no place to build a release; build it in a folder, then 'datafactory release publish FOLDER --to "
            f"{text[:200]}'"
        )
    # No part of a key begins at a '?' or a '#', as one of a web address does.
    scheme, _, rest = text.partition("://")
    bucket, _, path = rest.partition("/")
    prefix = path.strip("/")
    is_plain = all(part not in ("", ".", "..") for part in prefix.split("/")) or not prefix
    if scheme != "s3" or not _BUCKET.fullmatch(bucket) or not is_plain or {*prefix} & {*"?#"}:
        raise ReleaseError(
            f"{text[:200]!r} is no place for a release; take a folder (./{text[:200]} for one of that name), or "
            "s3://bucket/prefix"
        )
    return Place(bucket=bucket, prefix=prefix, config=config)
