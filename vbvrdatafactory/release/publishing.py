"""What is to be sent so that a target holds a release, in which order, and whether the target can take it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha1
from typing import NamedTuple

from vbvrdatafactory.core.humanize import format_bytes
from vbvrdatafactory.release.layout import CARD, EXPORTS, MANIFEST, PICTURES, SHARDS

# Folders whose files are a release's own.
_OWN = (SHARDS, PICTURES, EXPORTS)

# The Hub advises 50 to 100 files a commit.
FILES_OF_A_STEP = 50
# What its own client puts into one commit at most.
_MOST_FILES_OF_A_STEP = 1000


class LocalFile(NamedTuple):
    """A file of a release: its path, its size in bytes, its SHA-256, and what Git calls its content where it is small."""

    path: str
    size: int
    sha256: str
    git: str = ""


class ListedFile(NamedTuple):
    """A file as a target lists it: the SHA-256 where the target knows that, else what Git calls its content."""

    path: str
    size: int
    sha256: str = ""
    git: str = ""

    def is_same(self, file: LocalFile) -> bool:
        """Whether it has the content of `file`."""
        if self.size != file.size:
            return False
        return self.sha256 == file.sha256 if self.sha256 else bool(self.git) and self.git == file.git


class Limits(NamedTuple):
    """What a target takes.

    Args:
        files: files in all.
        of_a_folder: files of one folder.
        bytes_of_a_file: bytes of one file.
        bytes_granted: bytes in all that need nobody's consent.
    """

    files: int
    of_a_folder: int
    bytes_of_a_file: int
    bytes_granted: int


HUB = Limits(files=100_000, of_a_folder=10_000, bytes_of_a_file=200 * 10**9, bytes_granted=10**12)
S3 = Limits(files=10**12, of_a_folder=10**12, bytes_of_a_file=5 * 2**40, bytes_granted=10**18)


class Step(NamedTuple):
    """Files that are sent together, and paths that are deleted with them."""

    files: Sequence[LocalFile]
    deleted: Sequence[str]


def limit_problems(files: Iterable[tuple[str, int]], limits: Limits) -> Iterator[str]:
    """Why a target would not take these files.

    Args:
        files: path and size in bytes of each.
        limits: what it takes.
    """
    listed = [*files]
    if len(listed) >= limits.files:
        yield f"{len(listed):,} files; fewer than {limits.files:,} are taken: build larger shards"
    folders = Counter(path.rpartition("/")[0] for path, _ in listed)
    for folder, count in folders.items():
        if count > limits.of_a_folder:
            yield f"{count:,} files in {folder or 'one folder'}/; {limits.of_a_folder:,} are taken: build larger shards"
    for path, size in listed:
        if size > limits.bytes_of_a_file:
            taken = format_bytes(limits.bytes_of_a_file)
            yield f"{path} has {format_bytes(size)}; {taken} are taken: build smaller shards"


def needs_grant(files: Iterable[LocalFile], limits: Limits) -> bool:
    """Whether the files are more than a target takes from anybody."""
    return sum(file.size for file in files) > limits.bytes_granted


def left(files: Iterable[LocalFile], listed: Mapping[str, ListedFile]) -> list[LocalFile]:
    """The files that a target lacks, or has with other content."""
    return [file for file in files if file.path not in listed or not listed[file.path].is_same(file)]


def strays(files: Iterable[LocalFile], listed: Iterable[str]) -> list[str]:
    """Paths in a target that only a release has, and this one has not."""
    own = {file.path for file in files}
    return sorted(path for path in listed if path not in own and path.startswith(_OWN))


def steps(files: Sequence[LocalFile], listed: Mapping[str, ListedFile]) -> list[Step]:
    """What is sent, in its order, so that who reads the target meanwhile reads no half of a revision.

    A target that has no card yet is read by nobody: shards go as they come, the manifest with the first of them, so that a
    later call knows whose they are, and the card last. Where there is a card, all that differs goes in one step, or the card
    with the last of several where it is more than a target takes at once.

    Args:
        files: all files of the release.
        listed: what the target holds, by path.
    """
    lacking = left(files, listed)
    deleted = strays(files, listed)
    first = [file for file in lacking if file.path == MANIFEST]
    early = [file for file in lacking if file.path.startswith(_OWN)] if CARD not in listed else []
    made = [Step(early[at : at + FILES_OF_A_STEP], ()) for at in range(0, len(early), FILES_OF_A_STEP)]
    if made:
        made[0] = Step([*first, *made[0].files], ())
    sent = {file.path for step in made for file in step.files}
    # What describes the rest goes after it, where a target can't take all at once.
    late = sorted(
        (file for file in lacking if file.path not in sent), key=lambda file: not file.path.startswith(_OWN)
    )
    if not late and not deleted:
        return made
    *full, last = [
        late[at : at + _MOST_FILES_OF_A_STEP] for at in range(0, len(late), _MOST_FILES_OF_A_STEP)
    ] or [[]]
    return [*made, *(Step(part, ()) for part in full), Step(last, deleted)]


def git_name(data: bytes) -> str:
    """What Git calls a content."""
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
