"""Fetches generators: each to the commit that the lock names, and new ones to their newest.

A folder appears whole, by a rename; a run that is killed goes on where it was when it is started again. What can't be
fetched or is no generator is reported, and the rest goes on. A folder that somebody changed is never overwritten.
"""

import json
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.generators_lock import GeneratorsLock, LockedGenerator
from vbvrdatafactory.core.names import is_safe_name
from vbvrdatafactory.files import code_digest
from vbvrdatafactory.fleet.catalogue import TEMPLATE, no_contract
from vbvrdatafactory.fleet.digests import tree_digest
from vbvrdatafactory.fleet.git import FetchFailed, Git
from vbvrdatafactory.fleet.lock_writer import only_one, write_lock, write_whole
from vbvrdatafactory.fleet.sources import Source
from vbvrdatafactory.lockfile import read_lock

# Where fetched files lie until they are whole, and what is still to be fetched.
STAGING = ".fetching"
_LEFT = "left.json"
_AT_ONCE = 8

Advance = Callable[[int], None]


@dataclass
class SyncReport:
    """What a sync did.

    Args:
        fetched: generators that are new here.
        updated: generators that moved, as (commit before, commit now).
        unchanged: how many were as the lock has them already.
        left_out: repositories that are no usable generator, with the reason.
    """

    fetched: list[str] = field(default_factory=list)
    updated: dict[str, tuple[str, str]] = field(default_factory=dict)
    unchanged: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


class Sync:
    """One sync into the folder of the generators.

    Args:
        folder: that folder.
        git: fetches.
        most_mb: the most that one repository's files may take, in megabytes.
        update: whether generators move to their newest commit.
    """

    def __init__(self, folder: Path, git: Git, *, most_mb: int = 2048, update: bool = False) -> None:
        self._folder, self._git, self._most_mb, self._update = folder, git, most_mb, update
        self._staging = folder / STAGING
        self._writing = threading.Lock()
        self._lock = GeneratorsLock()
        self._generators: dict[str, LockedGenerator] = {}
        self._report = SyncReport()

    def run(self, sources: Sequence[Source], advance: Advance = lambda _: None) -> SyncReport:
        """Fetch `sources`, and write the lock.

        Raises:
            DataFactoryError: another sync is at work in the folder.
        """
        with _staging(self._folder):
            self._lock = read_lock(self._folder) or GeneratorsLock()
            self._generators = dict(self._lock.generators)
            chosen = self._one_of_each_name(sources)
            self._note_left(chosen)
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch") as pool:
                running = {pool.submit(self._take, source): source for source in chosen}
                for done in as_completed(running):
                    self._finish(running[done], done.exception())
                    advance(1)
        return self._report

    def _one_of_each_name(self, sources: Iterable[Source]) -> list[Source]:
        """One source for each name; names that differ by case alone are one name on some disks."""
        chosen: dict[str, Source] = {}
        for source in sources:
            first = chosen.setdefault(source.name.casefold(), source)
            if first.url != source.url:
                self._report.left_out[source.url] = f"{first.url} has the same name and came first"
        return [*chosen.values()]

    def _take(self, source: Source) -> None:
        """Fetch one generator, if it is not here as it should be.

        Raises:
            FetchFailed: it can't be used; the text says why.
        """
        locked = self._generators.get(source.name)
        place = self._folder / source.name
        self._check_name(source, locked, place)
        here = tree_digest(place) if place.is_dir() else ""
        if locked and here not in {"", locked.tree}:
            raise FetchFailed(
                f"its files differ from what was fetched; move {str(place)!r} away, or keep it as your own under another name"
            )
        commit = locked.commit if locked and not self._update else self._git.newest_commit(source.url)
        if locked and here and commit == locked.commit:
            self._report.unchanged += 1
            return
        self._fetch(source, commit, place, locked)

    def _check_name(self, source: Source, locked: LockedGenerator | None, place: Path) -> None:
        if not is_safe_name(source.name) or source.name == TEMPLATE:
            raise FetchFailed("its name can't be a generator's: letters, digits, '.', '_', '-', 200 at most")
        is_ours = locked.url != source.url if locked else place.exists()
        if is_ours:
            whose = locked.url if locked and locked.url else f"a folder of your own, {str(place)!r}"
            raise FetchFailed(f"its name is taken by {whose}")
        if source.mb > self._most_mb:
            raise FetchFailed(f"it has {source.mb:,} MB; at most {self._most_mb:,} MB are fetched (--max-mb)")

    def _fetch(self, source: Source, commit: str, place: Path, before: LockedGenerator | None) -> None:
        new = self._staging / f"{source.name[:80]}.{uuid4().hex}"
        try:
            self._git.fetch(source.url, commit, new, most_mb=self._most_mb)
            check_contents(new)
            tree = tree_digest(new)
            is_moved = before is not None and before.commit != commit
            if before and not is_moved and tree != before.tree:
                raise FetchFailed(
                    f"commit {commit[:12]} has other files than the lock says; --update takes them"
                )
            # Of new code nobody knows yet what it imports.
            now = before if before and not is_moved else LockedGenerator()
            said = {"url": source.url, "commit": commit, "tree": tree, "code": code_digest(new) or ""}
            self._place(new, place, now.model_copy(update=said))
        finally:
            shutil.rmtree(new, ignore_errors=True)
        if before and is_moved:
            self._report.updated[source.name] = (before.commit, commit)
        else:
            self._report.fetched.append(source.name)

    def _place(self, new: Path, place: Path, locked: LockedGenerator) -> None:
        """Put a fetched folder at its place: killed in between, it leaves a lock without the folder, never the reverse."""
        with self._writing:
            if place.exists():
                place.rename(new.with_name(f"{new.name}.old"))
            self._generators[place.name] = locked
            write_lock(self._folder, self._lock.model_copy(update={"generators": dict(self._generators)}))
            new.rename(place)

    def _finish(self, source: Source, error: BaseException | None) -> None:
        if isinstance(error, DataFactoryError | OSError):
            self._report.left_out[source.name] = str(error)
        elif error:
            raise error

    def _note_left(self, sources: Iterable[Source]) -> None:
        """Note what this run is about: if it is killed, the next one need not ask for the list again."""
        write_whole(self._staging / _LEFT, json.dumps([[s.name, s.url, s.mb] for s in sources]))


def left_sources(folder: Path) -> list[Source]:
    """What a sync that was killed was about; empty where the last one ended."""
    try:
        return [Source(*said) for said in json.loads((folder / STAGING / _LEFT).read_text(encoding="utf-8"))]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (ValueError, TypeError) as error:
        raise DataFactoryError(f"{folder / STAGING / _LEFT} can't be read: {error}; remove it") from error


def locked_sources(generators: Mapping[str, LockedGenerator]) -> list[Source]:
    """The sources of all generators in the lock that were fetched."""
    return [Source(name, locked.url) for name, locked in generators.items() if locked.url]


def check_contents(folder: Path) -> None:
    """Check that a fetched folder holds a generator, and no link that leads out of it.

    Raises:
        FetchFailed: it does not; the text says what it holds.
    """
    if why := no_contract(folder):
        raise FetchFailed(why)
    inside = folder.resolve()
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise FetchFailed(f"its link {str(path.relative_to(folder))!r} leads out of its folder")


@contextmanager
def _staging(folder: Path) -> Iterator[None]:
    """Hold the folder; what a sync that was killed left half-fetched goes, and the staging folder itself in the end."""
    with only_one(folder):
        staging = folder / STAGING
        staging.mkdir(exist_ok=True)
        for path in staging.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
        yield
        shutil.rmtree(staging)
