"""Chooses the samples of a release by a look at the bucket."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.driver.contents import Found
from vbvrdatafactory.driver.observe import observe_plan
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.release.choosing import Unfit, choose, left_out, sizes, words
from vbvrdatafactory.release.manifest import LeftOut
from vbvrdatafactory.release.naming import key_prefix
from vbvrdatafactory.s3.listing import Listed

ROWS = "*.parquet"


@dataclass(frozen=True)
class Choice:
    """The samples of a release.

    Args:
        samples: a row each: ``generator``, ``index``, ``content`` and ``other`` (words of its digests), and the
            ``bytes`` that it takes.
        rows: a folder with what the ledger says of them, a file for each generator.
        left_out: what the dataset has, or should have, beside them.
        about: of each generator the ``task``, ``code``, ``commit`` and ``environment`` of most samples.
    """

    samples: pl.DataFrame
    rows: Path
    left_out: tuple[LeftOut, ...]
    about: Mapping[str, Mapping[str, str]]


@dataclass
class _Taken:
    plan: Plan
    rows: Path
    parts: dict[str, pl.DataFrame] = field(default_factory=dict)
    unfit: dict[str, Mapping[Unfit, int]] = field(default_factory=dict)
    about: dict[str, dict[str, str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, generator: str, found: Found) -> None:
        """Called from several threads."""
        chosen = choose(found.rows, found.contents)
        number = [*self.plan.generators].index(generator)
        kind = pl.Enum([*self.plan.generators])
        small = chosen.rows.select(
            pl.lit(generator, pl.String).cast(kind).alias("generator"),
            "index",
            words(chosen.rows, "digest").alias("content"),
            words(chosen.rows, "metadata_digest").alias("other"),
            sizes(chosen.rows).alias("bytes"),
        )
        if small.height:
            chosen.rows.write_parquet(self.rows / f"{number:06d}.parquet")
        with self.lock:
            self.parts[generator] = small
            self.unfit[generator] = chosen.unfit
            self.about[generator] = _about(chosen.rows)


def choose_samples(  # noqa: PLR0913 - of what, where to, and what stays out
    services: Services,
    plan: Plan,
    rows: Path,
    *,
    leave_out: Collection[Unfit] = (),
    without: Collection[str] = (),
    on_listed: Listed | None = None,
) -> Choice:
    """Look at the bucket, and choose the samples that are as they were asked for.

    Args:
        services: what a look needs.
        plan: the dataset's plan.
        rows: an empty folder for what the ledger says of them.
        leave_out: what may be left out; anything else that is not fit is refused.
        without: generators that the release does not have.
        on_listed: as of `observe`.

    Raises:
        ReleaseError: the dataset is not fit for a release, or has no sample that is.
    """
    wanted = [name for name in plan.generators if name not in without]
    taken = _Taken(plan, rows)
    if wanted:
        observe_plan(services, plan, on_listed, generators=wanted, save=False, on_found=taken.take)
    refused = left_out(plan.spec.dataset, taken.unfit, leave_out)
    named = tuple(
        LeftOut(generator=name, samples=plan.generators[name].samples, why="left out by name")
        for name in plan.generators
        if name in without
    )
    # In the plan's order, not in that of the listing.
    parts = [taken.parts[name] for name in wanted if name in taken.parts]
    _refuse_equal_keys(wanted)
    samples = pl.concat(parts) if parts else pl.DataFrame()
    if samples.is_empty():
        raise ReleaseError(f"dataset {plan.spec.dataset!r} has no sample that a release could hold")
    return Choice(samples, rows, (*refused, *named), taken.about)


def _refuse_equal_keys(generators: Collection[str]) -> None:
    """Names that are cut have a digest, which another name may be called after."""
    known: dict[str, str] = {}
    for name in generators:
        other = known.setdefault(key_prefix(name), name)
        if other != name:
            raise ReleaseError(
                f"keys of {name!r} and {other!r} would be the same; leave one out: --without {name!r}"
            )


def _about(rows: pl.DataFrame) -> dict[str, str]:
    """What made most of them."""
    columns = ["task", "code", "commit", "environment"]
    if rows.is_empty():
        return dict.fromkeys(columns, "")
    most = (
        rows.group_by(columns).len().sort("len", *columns, descending=[True, *[False] * 4], nulls_last=True)
    )
    return {name: most[name][0] or "" for name in columns}
