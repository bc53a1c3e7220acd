"""From a dataset to a release: which samples, in which split, in which shard; and all of it built."""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from vbvrdatafactory.driver.release_benchmark import Benchmark
from vbvrdatafactory.driver.release_build import (
    Arranged,
    Asked,
    build_shards,
    finish,
    needs_no_build,
    plan_digest,
)
from vbvrdatafactory.driver.release_choice import Choice, choose_samples
from vbvrdatafactory.driver.release_decontaminate import find_equal
from vbvrdatafactory.driver.release_place import Place
from vbvrdatafactory.driver.release_pool import Pool
from vbvrdatafactory.driver.release_puzzles import read_puzzles
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import DatasetSpec, Plan
from vbvrdatafactory.release.choosing import Unfit
from vbvrdatafactory.release.groups import find_groups
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.release.order import arrange
from vbvrdatafactory.release.splits import assign_splits
from vbvrdatafactory.s3.listing import Listed


@dataclass(frozen=True)
class Done:
    """A release that was built.

    Args:
        release: its manifest.
        built: shards that were built now; the others were there.
    """

    release: Release
    built: int


class Steps:
    """Called as a build goes on; each does nothing here.

    `listed` gets the keys seen so far; `reading` how many samples are to be looked at, `read` how many more were;
    `building` the bytes of all shards, and `built` those of one that is there.
    """

    def listed(self, keys: int) -> None: ...
    def reading(self, samples: int) -> None: ...
    def read(self, samples: int) -> None: ...
    def building(self, size: int) -> None: ...
    def built(self, size: int) -> None: ...


@contextmanager
def choice_of(
    services: Services,
    plan: Plan,
    leave_out: Collection[Unfit] = (),
    without: Collection[str] = (),
    on_listed: Listed | None = None,
) -> Iterator[Choice]:
    """The samples of a release; what the ledger says of them goes when the block ends.

    Raises:
        ReleaseError: the dataset is not fit for a release.
    """
    with tempfile.TemporaryDirectory(prefix="datafactory-") as rows:
        yield choose_samples(
            services, plan, Path(rows), leave_out=leave_out, without=without, on_listed=on_listed
        )


def arrange_samples(choice: Choice, asked: Asked, puzzles: pl.DataFrame | None = None) -> pl.DataFrame:
    """Samples with group, split and shard, in their order.

    Args:
        choice: the samples.
        asked: how they are split and ordered.
        puzzles: ``generator``, ``index`` and ``puzzle`` of each, in the same order; None where nobody has read them.
    """
    puzzle = pl.lit(None, pl.UInt64).alias("puzzle") if puzzles is None else puzzles["puzzle"]
    grouped = choice.samples.with_columns(puzzle)
    groups = find_groups(grouped).alias("group")
    return arrange(
        grouped.drop("puzzle").with_columns(groups, assign_splits(groups, asked.shares, asked.seed)),
        asked.seed,
        asked.shard_bytes,
    )


def build_release(  # noqa: PLR0913 - what, of what, where to, and what stays out
    services: Services,
    plan: Plan,
    asked: Asked,
    target: Place,
    now: datetime,
    *,
    leave_out: Collection[Unfit] = (),
    without: Collection[str] = (),
    benchmarks: Sequence[Benchmark] = (),
    steps: Steps | None = None,
) -> Done:
    """Build a release, or what is left of it after an earlier build was ended.

    Args:
        services: clients and log.
        plan: the dataset's plan.
        asked: what the release is.
        target: where to.
        now: the time.
        leave_out: what may be left out.
        without: generators that it does not have.
        benchmarks: samples that it must not have.
        steps: told how it goes.

    Raises:
        ReleaseError: the dataset is not fit for a release, or another one is there.
    """
    steps = steps or Steps()
    bucket = services.config.output_bucket
    source = Place(bucket=bucket, prefix=plan.spec.prefix, config=services.config, identity=services.identity)
    with choice_of(services, plan, leave_out, without, steps.listed) as choice:
        return build_choice(
            choice, plan.spec, bucket, asked, source, target, now, benchmarks=benchmarks, steps=steps
        )


def build_choice(  # noqa: PLR0913 - what, of what, from where, and where to
    choice: Choice,
    spec: DatasetSpec,
    bucket: str,
    asked: Asked,
    source: Place,
    target: Place,
    now: datetime,
    *,
    benchmarks: Sequence[Benchmark] = (),
    steps: Steps | None = None,
) -> Done:
    """Build a release of samples that are chosen; otherwise as `build_release`."""
    steps = steps or Steps()
    with target.scratch() as scratch, Pool(source, target, scratch, asked.processes) as pool:
        steps.reading(choice.samples.height)
        of_each = read_puzzles(pool, choice.rows, steps.read)
        equal = find_equal(pool, scratch, choice, benchmarks)
        kept = choice.samples.join(
            equal.samples, on=["generator", "index"], how="anti", maintain_order="left"
        )
        chosen = Choice(kept, choice.rows, choice.left_out, choice.about)
        samples = arrange_samples(chosen, asked, _in_order(kept, of_each))
        compared = tuple(one.compared for one in benchmarks)
        arranged = Arranged(samples, choice.left_out, equal.removed, compared)
        if there := needs_no_build(target, plan_digest(asked, samples), compared):
            return Done(there, 0)
        steps.building(int(samples["bytes"].sum()))
        shards, built = build_shards(pool, target, chosen, samples, steps.built)
        release = finish(target, asked, spec, bucket, chosen, arranged, shards, now)
    return Done(release, built)


def _in_order(samples: pl.DataFrame, of_each: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The puzzle of each sample, in the samples' order."""
    kind = samples.schema["generator"]
    parts = [
        part.select(pl.lit(name, pl.String).cast(kind).alias("generator"), "index", "puzzle")
        for name, part in of_each.items()
    ]
    return samples.join(pl.concat(parts), on=["generator", "index"], how="left", maintain_order="left")
