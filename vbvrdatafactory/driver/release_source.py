"""The files of a release in a folder, as they are published."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from obstore.store import LocalStore

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.driver.release_files import content_of
from vbvrdatafactory.driver.release_place import NEXT
from vbvrdatafactory.driver.release_reading import read_release
from vbvrdatafactory.release.card import REPOSITORY
from vbvrdatafactory.release.layout import (
    CARD,
    CHANGELOG,
    CROISSANT,
    EXPORTS,
    MANIFEST,
    PICTURES,
    SHARDS,
    TABLE,
    is_shard_path,
)
from vbvrdatafactory.release.publishing import LocalFile, git_name

_ALWAYS = (MANIFEST, TABLE, CARD, CROISSANT)
# The Hub keeps the names of small files as Git has them; larger ones it keeps by SHA-256.
_SMALL = 16 * 1024 * 1024


class PublishError(DataFactoryError):
    """A release can't be published as it is asked for."""


class Source:
    """The files of a release in a folder, as they are published.

    Args:
        folder: where it is.
        repository: what takes the place of `REPOSITORY` in the card and in Croissant; None leaves it.

    Raises:
        UnreadableRecordError: it has no manifest that can be read.
        PublishError: a file of it is missing, or is not what the manifest says.
    """

    def __init__(self, folder: Path, repository: str | None) -> None:
        self._folder, self._repository = folder, repository
        self._store = LocalStore(folder.resolve())
        self.release = read_release(self._store)
        self._refuse_links()
        if (folder / NEXT / MANIFEST).is_file():
            raise PublishError(
                f"a change of {folder} was begun and not ended; 'datafactory release patch' or 'withdraw' ends it"
            )
        self.files = [*self._shards(), *map(self._described, self._others())]

    def content(self, file: LocalFile) -> Path | bytes:
        """Where a file lies, or its bytes where they are other than there."""
        path = self._folder / file.path
        return self._named(path.read_bytes()) if file.path in (CARD, CROISSANT) else path

    def _named(self, data: bytes) -> bytes:
        return data.replace(REPOSITORY.encode(), self._repository.encode()) if self._repository else data

    def _refuse_links(self) -> None:
        """A folder may be a stranger's, and a link in it may name any file of this machine."""
        root = self._folder.resolve()
        below = (path for name in (SHARDS, PICTURES, EXPORTS) for path in root.glob(f"{name}**/*"))
        single = (root / name for name in (*_ALWAYS, CHANGELOG, "LICENSE"))
        for path in (*single, *below):
            if not path.resolve().is_relative_to(root):
                raise PublishError(
                    f"{path.relative_to(root).as_posix()} is a link to a file elsewhere; put the file itself in its place"
                )

    def _shards(self) -> Sequence[LocalFile]:
        found = []
        for shard in self.release.shards:
            path = self._folder / shard.path
            if (
                not is_shard_path(shard.path, shard.split)
                or not path.is_file()
                or path.stat().st_size != shard.bytes
            ):
                raise PublishError(
                    f"{shard.path} is missing or has another size than in {MANIFEST}; 'datafactory release check' says more"
                )
            found.append(LocalFile(shard.path, shard.bytes, shard.sha256))
        return found

    def _others(self) -> Sequence[str]:
        if lacking := [name for name in _ALWAYS if not (self._folder / name).is_file()]:
            raise PublishError(f"{lacking[0]} is missing; run 'datafactory release build' again")
        optional = [name for name in (CHANGELOG, "LICENSE") if (self._folder / name).is_file()]
        below = [path for name in (PICTURES, EXPORTS) for path in sorted(self._folder.glob(f"{name}**/*"))]
        return [
            *_ALWAYS,
            *optional,
            *(path.relative_to(self._folder).as_posix() for path in below if path.is_file()),
        ]

    def _described(self, path: str) -> LocalFile:
        if path not in (CARD, CROISSANT) and (self._folder / path).stat().st_size > _SMALL:
            size, digest = content_of(self._store, path)
            return LocalFile(path, size, digest.hex())
        data = (self._folder / path).read_bytes()
        data = self._named(data) if path in (CARD, CROISSANT) else data
        return LocalFile(path, len(data), sha256(data).hexdigest(), git_name(data))
