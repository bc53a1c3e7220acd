"""Proves a release that lies in a folder: every byte of it, without a network, as its users will read it."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from obstore.store import LocalStore

from vbvrdatafactory.core.contract import required_files
from vbvrdatafactory.core.errors import DataFactoryError, SpecError
from vbvrdatafactory.driver.release_files import content_of
from vbvrdatafactory.driver.release_offline import Expected, ShardResult, check_croissant, check_shard, start
from vbvrdatafactory.driver.release_reading import read_release
from vbvrdatafactory.driver.release_table import column_problems, row_problems
from vbvrdatafactory.release.card_rules import card_problems, croissant_problems
from vbvrdatafactory.release.layout import CARD, CROISSANT, SHARDS, TABLE, is_shard_path
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.release.traps import Few, Finding, Trap

Advance = Callable[[int], None]


class Checked(NamedTuple):
    """What a check of a release found.

    Args:
        release: its manifest.
        samples: samples that were read.
        bytes: of all shards that were read.
        found: what is wrong with it.
    """

    release: Release
    samples: int
    bytes: int
    found: Few

    @property
    def is_good(self) -> bool:
        return not self.found.counts


def check(
    folder: Path,
    *,
    further: Iterable[Finding] = (),
    workers: int | None = None,
    on_read: Advance = lambda _: None,
) -> Checked:
    """Check the release in `folder`.

    Args:
        folder: where it is.
        further: what is known to be wrong with it already.
        workers: processes that read shards; one for each processor by default.
        on_read: called with how many more bytes of shards were read.

    Raises:
        UnreadableRecordError: it has no manifest that can be read.
    """
    folder = folder.resolve()
    release = read_release(LocalStore(folder))
    found = Few()
    found.extend(further)
    lacking = column_problems(folder)
    found.extend(lacking)
    found.extend(_file_problems(folder, release))
    if not lacking:
        found.extend(row_problems(folder, release))
    results = _read_shards(folder, release, found, workers, on_read, has_rows=not lacking)
    fields: dict[str, set[str]] = {}
    for result in results:
        for name, kinds in result.fields.items():
            fields.setdefault(name, set()).update(kinds)
    found.extend(_description_problems(folder, release, fields))
    read = sum(shard.bytes for shard in release.shards)
    return Checked(release, sum(result.samples for result in results), read, found)


def _file_problems(folder: Path, release: Release) -> Iterator[Finding]:
    listed = {shard.path for shard in release.shards}
    for shard in release.shards:
        if not is_shard_path(shard.path, shard.split):
            yield Finding(
                Trap.MISSING_SHARD, shard.path, "no shard is called so; one is data/train/train-00000.tar"
            )
        elif not (folder / shard.path).is_file():
            yield Finding(Trap.MISSING_SHARD, shard.path, "the manifest has it, and the folder has not")
    for shard in release.shards:
        if shard.split not in release.splits:
            yield Finding(
                Trap.WRONG_SPLIT, shard.path, f"the manifest has no split {shard.split!r}, so nobody reads it"
            )
    for path in sorted(folder.glob(f"{SHARDS}**/*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name not in listed:
            yield Finding(Trap.STRAY_SHARD, name, "the manifest has no such shard")


def _read_shards(  # noqa: PLR0913 - what is read, and how
    folder: Path, release: Release, found: Few, workers: int | None, on_read: Advance, *, has_rows: bool
) -> Sequence[ShardResult]:
    """Read all shards that are there, several at once; none is in memory but the one that a process reads."""
    there = [shard for shard in _expected(release) if (folder / shard.path).is_file()]
    there = [shard for shard in there if is_shard_path(shard.path, shard.split)]
    required, results = _required(release), dict[str, ShardResult]()
    count = max(1, min(workers or os.cpu_count() or 1, len(there)))
    # Spawned, as what is forked from a process with threads may hang, and would have its sockets.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=start) as pool:
        described = pool.submit(check_croissant, folder)
        waiting = {
            pool.submit(check_shard, folder, shard, required, has_rows=has_rows): shard for shard in there
        }
        for done in as_completed(waiting):
            shard = waiting[done]
            results[shard.path] = _result_of(done, shard)
            on_read(shard.bytes)
        for _, result in sorted(results.items()):
            found.extend(result.findings)
        found.extend(described.result())
    return [*results.values()]


def _result_of(done: "Future[ShardResult]", shard: Expected) -> ShardResult:
    try:
        return done.result()
    except BrokenProcessPool as error:
        raise DataFactoryError(
            f"the process that read {shard.path} was killed, perhaps for want of memory; try --workers 1"
        ) from error


def _expected(release: Release) -> Iterator[Expected]:
    for split in release.splits:
        own = sorted(
            (shard for shard in release.shards if shard.split == split), key=lambda shard: shard.path
        )
        for number, shard in enumerate(own):
            yield Expected(shard.path, split, shard.samples, shard.bytes, shard.sha256, number, len(own))


def _required(release: Release) -> tuple[str, ...]:
    try:
        return required_files(release.spec.get("require", ()))
    except (SpecError, TypeError):
        return required_files()


def _description_problems(folder: Path, release: Release, fields: dict[str, set[str]]) -> Iterator[Finding]:
    for path, trap in ((CARD, Trap.CARD), (CROISSANT, Trap.CROISSANT)):
        try:
            text = (folder / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            yield Finding(trap, path, f"it can't be read ({error})")
            continue
        if path == CARD:
            yield from card_problems(text, release, fields)
        elif (folder / TABLE).is_file():
            yield from croissant_problems(text, release, content_of(LocalStore(folder), TABLE))
