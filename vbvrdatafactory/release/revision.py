"""A release that is changed: which samples go, which are replaced, and what its manifest says then."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

import polars as pl

from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.release.manifest import Change, GeneratorShare, LeftOut, Release, Removed, ShardFile


class Changes(NamedTuple):
    """What a revision changes, by keys of samples.

    Args:
        withdrawn: those that go.
        replaced: those that take the content that the dataset has now.
        why: the reason, as the changelog has it.
        removed: those withdrawn that equal a benchmark's sample now.
    """

    withdrawn: frozenset[str]
    replaced: frozenset[str]
    why: str
    removed: tuple[Removed, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        return self.withdrawn | self.replaced


def shards_of(rows: pl.DataFrame, keys: Collection[str]) -> list[str]:
    """Paths of the shards that hold these samples, in their order.

    Args:
        rows: ``key`` and ``shard`` of the release's samples.
        keys: of samples.

    Raises:
        ReleaseError: the release has no such sample.
    """
    wanted = pl.DataFrame({"key": sorted(keys)}, schema={"key": pl.String})
    unknown = wanted.join(rows, on="key", how="anti")["key"].to_list()
    if unknown:
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        raise ReleaseError(
            f"the release has no sample {unknown[0][:200]!r}{more}; metadata.parquet has all keys"
        )
    return rows.join(wanted, on="key", how="semi")["shard"].unique().sort().to_list()


def shown_elsewhere(rows: pl.DataFrame, new: pl.DataFrame) -> set[str]:
    """Of samples with new contents those whose puzzle another split has: they would leak.

    Args:
        rows: ``key``, ``generator``, ``split``, ``digest`` and ``param_hash`` of the release's samples.
        new: ``key``, ``digest`` and ``param_hash`` of the new contents.
    """
    placed = new.join(rows.select("key", "generator", "split"), on="key")
    columns = ["key", "generator", "split", "digest", "param_hash"]
    every = pl.concat(
        [rows.select(columns).join(new, on="key", how="anti"), placed.select(columns)], how="vertical_relaxed"
    )
    leaking: set[str] = set()
    for puzzle in (["digest"], ["generator", "param_hash"]):
        known = every.drop_nulls(puzzle)
        several = (
            known.group_by(puzzle)
            .agg(pl.col("split").n_unique().alias("splits"))
            .filter(pl.col("splits") > 1)
        )
        leaking |= set(placed.join(several, on=puzzle, how="semi")["key"])
    return leaking


def group_of(digest: str, groups: Mapping[str, str]) -> str:
    """The group of a new content: that of what the release has with the same, or its own.

    Args:
        digest: of the content.
        groups: of the release's samples, by digest.
    """
    return groups.get(digest, digest[:16])


def revised(
    release: Release,
    changes: Changes,
    shards: Mapping[str, ShardFile | None],
    rows: pl.DataFrame,
    now: datetime,
) -> Release:
    """The manifest of the next revision.

    Args:
        release: the manifest so far.
        changes: what it changes.
        shards: those that were rebuilt, by path; None for one that has no samples left.
        rows: the samples that it has then: ``key``, ``generator``, ``index``, ``split``, ``group``, ``task``, ``code``, ``commit`` and
            ``environment``.
        now: the time.
    """
    revision = release.revision + 1
    counts = dict(rows.group_by("split").len().iter_rows())
    left = [shards.get(shard.path, shard) for shard in release.shards]
    change = Change(revision=revision, at=now, why=changes.why, samples=len(changes.keys))
    return release.model_copy(
        update={
            "revision": revision,
            "splits": {split: int(counts[split]) for split in release.splits if split in counts},
            "shards": tuple(shard for shard in left if shard),
            "generators": _shares(rows, {share.generator: share for share in release.generators}),
            "left_out": release.left_out + _withdrawn(release, rows, changes),
            "decontaminated": release.decontaminated + changes.removed,
            "changes": (*release.changes, change),
        }
    )


def _withdrawn(release: Release, rows: pl.DataFrame, changes: Changes) -> tuple[LeftOut, ...]:
    before = {share.generator: share.samples for share in release.generators}
    after = dict(rows.group_by("generator").len().iter_rows())
    return tuple(
        LeftOut(generator=generator, samples=count - after.get(generator, 0), why=f"withdrawn: {changes.why}")
        for generator, count in before.items()
        if count > after.get(generator, 0)
    )


def _shares(rows: pl.DataFrame, before: Mapping[str, GeneratorShare]) -> tuple[GeneratorShare, ...]:
    each = (
        rows.sort("generator", "index")
        .group_by("generator", maintain_order=True)
        .agg(
            pl.len(),
            pl.col("group").n_unique().alias("distinct"),
            pl.col("key").first().alias("example"),
            *(
                pl.col(name).drop_nulls().mode().sort().first().fill_null("")
                for name in ("code", "commit", "environment")
            ),
        )
    )
    return tuple(
        before[row["generator"]].model_copy(
            update={
                **{name: row[name] for name in ("distinct", "example")},
                "samples": row["len"],
                **{name: row[name] or "" for name in ("code", "commit", "environment")},
            }
        )
        for row in each.iter_rows(named=True)
    )
