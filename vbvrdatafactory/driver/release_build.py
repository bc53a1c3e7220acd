"""Builds a release: reads every sample once, shard by shard, and goes on where an earlier build was ended."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from typing import NamedTuple

import obstore
import polars as pl
from obstore.store import ObjectStore

from vbvrdatafactory.core.errors import DataFactoryError, ReleaseError
from vbvrdatafactory.driver.release_card import describe
from vbvrdatafactory.driver.release_choice import Choice
from vbvrdatafactory.driver.release_finish import delete_build, delete_puzzles, write_table
from vbvrdatafactory.driver.release_jobs import (
    UNPACKED_BYTES,
    fingerprints,
    has_archives,
    unpack_for,
    windows,
    written_jobs,
)
from vbvrdatafactory.driver.release_place import Place
from vbvrdatafactory.driver.release_pool import Context, Pool
from vbvrdatafactory.driver.release_samples import Source
from vbvrdatafactory.driver.release_shard import Job, build_shard, read_built, shard_path
from vbvrdatafactory.planning.plan import DatasetSpec
from vbvrdatafactory.release.changelog import changelog
from vbvrdatafactory.release.layout import CHANGELOG, MANIFEST
from vbvrdatafactory.release.manifest import (
    Change,
    Compared,
    GeneratorShare,
    LeftOut,
    Release,
    Removed,
    ShardFile,
)
from vbvrdatafactory.release.naming import sample_key
from vbvrdatafactory.s3 import reading

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Asked:
    """What a person asks of a release.

    Args:
        name: its name.
        seed: decides splits and order.
        license: an identifier of SPDX.
        shares: share of each split but ``train``.
        shard_bytes: shards have about as many.
        processes: processes that read and write; 0 for this one alone.
    """

    name: str
    seed: int
    license: str
    shares: Mapping[str, float]
    shard_bytes: int
    processes: int


class Arranged(NamedTuple):
    """Samples in their order, with their shards, and what they were chosen from.

    Args:
        samples: as `release.order.arrange` returns them.
        left_out: what the dataset has beside them.
        removed: what equals a benchmark's samples.
        benchmarks: what they were compared with.
    """

    samples: pl.DataFrame
    left_out: tuple[LeftOut, ...]
    removed: tuple[Removed, ...] = ()
    benchmarks: tuple[Compared, ...] = ()


def read_manifest(store: ObjectStore) -> Release | None:
    """The manifest of the release that is there; None where there is none.

    Raises:
        ReleaseError: it can't be read.
    """
    try:
        return Release.model_validate_json(reading.read(store, MANIFEST).data)
    except FileNotFoundError:
        return None
    except (ValueError, DataFactoryError) as error:
        raise ReleaseError(f"{MANIFEST} can't be read: {' '.join(str(error).split())[:300]}") from error


def build_shards(
    pool: Pool, target: Place, choice: Choice, arranged: pl.DataFrame, on_built: Advance
) -> tuple[list[ShardFile], int]:
    """Build what is not there yet; returns all shards in order, and how many of them were built now.

    Args:
        pool: reads and builds them.
        target: where to.
        choice: what the ledger says of the samples.
        arranged: samples in their order.
        on_built: called with the bytes of each shard that is there.
    """
    prints = fingerprints(arranged)
    store = target.store()
    found: dict[str, ShardFile] = {}
    for (split, number), fingerprint in prints.items():
        built = read_built(store, shard_path(split, number))
        if built and built.fingerprint == fingerprint:
            found[built.shard.path] = built.shard
            on_built(built.shard.bytes)
    left = [shard for shard in prints if shard_path(*shard) not in found]
    archived = has_archives(choice.rows)
    for window in windows(arranged, left, UNPACKED_BYTES if archived else None):
        with written_jobs(choice.rows, arranged, window, prints) as jobs, target.scratch() as folder:
            if archived:
                unpack_for(pool, jobs, folder)
                jobs = [job._replace(unpacked=folder) for job in jobs]  # noqa: PLW2901 - the same, unpacked
            for shard in pool.run(_build, jobs):
                found[shard.path] = shard
                on_built(shard.bytes)
    return [found[shard_path(*shard)] for shard in prints], len(left)


def _build(context: Context, job: Job) -> ShardFile:
    return build_shard(Source(context.store, job.unpacked), context.target, context.scratch, job)


def plan_digest(asked: Asked, arranged: pl.DataFrame) -> str:
    """The digest of what a release is to hold and how it is called."""
    digest = sha256("\0".join((asked.name, asked.license, str(asked.seed))).encode())
    for shard, fingerprint in fingerprints(arranged).items():
        digest.update(f"\0{shard}\0{fingerprint}".encode())
    return digest.hexdigest()


def finish(  # noqa: PLR0913 - what the manifest says
    target: Place,
    asked: Asked,
    spec: DatasetSpec,
    bucket: str,
    choice: Choice,
    arranged: Arranged,
    shards: Collection[ShardFile],
    now: datetime,
) -> Release:
    """Write metadata, card, changelog and manifest, the manifest last, and delete what only the build needed."""
    samples = arranged.samples
    counts = dict(samples.group_by("split", maintain_order=True).len().iter_rows())
    made = Change(revision=1, at=now, why="Built", samples=samples.height)
    release = Release(
        name=asked.name,
        dataset=spec.dataset,
        bucket=bucket,
        prefix=spec.prefix,
        seed=asked.seed,
        revision=1,
        license=asked.license,
        spec=spec.model_dump(mode="json"),
        splits={str(name): int(count) for name, count in counts.items()},
        shards=tuple(shards),
        generators=shares_of(samples, choice.about),
        left_out=arranged.left_out,
        benchmarks=arranged.benchmarks,
        decontaminated=arranged.removed,
        changes=(made,),
        datafactory_version=version("vbvrdatafactory"),
        plan=plan_digest(asked, samples),
    )
    write_table(target, [shard.path for shard in shards])
    describe(target.store(), release)
    put_manifest(target, release)
    delete_build(target)
    return release


def put_manifest(target: Place, release: Release) -> None:
    """Write the changelog, and then the manifest."""
    store = target.store()
    obstore.put(store, CHANGELOG, changelog(release.name, release.changes).encode())
    obstore.put(store, MANIFEST, (release.model_dump_json(indent=1) + "\n").encode())


def shares_of(samples: pl.DataFrame, about: Mapping[str, Mapping[str, str]]) -> tuple[GeneratorShare, ...]:
    """What each generator has in a release.

    Args:
        samples: ``generator``, ``index`` and ``group`` of each.
        about: of each generator ``task``, ``code``, ``commit`` and ``environment``.
    """
    each = (
        samples.with_columns(pl.col("generator").cast(pl.String))
        .group_by("generator")
        .agg(pl.len(), pl.col("group").n_unique().alias("distinct"), pl.col("index").min())
        .sort("generator")
    )
    return tuple(
        GeneratorShare(
            generator=name, samples=count, distinct=distinct, example=sample_key(name, index), **about[name]
        )
        for name, count, distinct, index in each.iter_rows()
    )


def needs_no_build(target: Place, digest: str, benchmarks: tuple[Compared, ...] = ()) -> Release | None:
    """The release that is there, where it is the one that was planned; None where there is none.

    Args:
        target: where to look.
        digest: of what was planned.
        benchmarks: what its samples were compared with just now.

    Raises:
        ReleaseError: another release is there.
    """
    there = read_manifest(target.store())
    if there:
        delete_puzzles(target)
    if there and (there.plan != digest or there.revision != 1):
        raise ReleaseError(
            f"{target} has another release, {there.name!r} of revision {there.revision}; take another place, or "
            "change that one with 'datafactory release patch'"
        )
    if there and benchmarks and there.benchmarks != benchmarks:
        there = there.model_copy(update={"benchmarks": benchmarks})
        describe(target.store(), there)
        put_manifest(target, there)
    return there
