"""Finds out which samples of a release are to be withdrawn or replaced."""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from obstore.store import ObjectStore

from vbvrdatafactory.core.contract import FIRST_FRAME
from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.driver.release_benchmark import Benchmark
from vbvrdatafactory.driver.release_choice import ROWS, choose_samples
from vbvrdatafactory.driver.release_decontaminate import DIGEST, FRAME
from vbvrdatafactory.driver.release_samples import Row, Source, is_archived, read_whole, unpack
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import DatasetSpec, Plan
from vbvrdatafactory.release.choosing import Unfit
from vbvrdatafactory.release.manifest import Release, Removed
from vbvrdatafactory.release.revision import group_of, shown_elsewhere
from vbvrdatafactory.release.table import read_parameters
from vbvrdatafactory.s3.ledger import read_part


class Replacements(NamedTuple):
    """Samples whose content in the dataset is another than in the release.

    Args:
        rows: of those that are replaced, the ledger's rows and their ``group``, by key.
        leaking: keys of those whose new puzzle another split has: they are withdrawn.
        removed: those that equal a benchmark's sample now: they are withdrawn, too.
    """

    rows: dict[str, Row]
    leaking: frozenset[str]
    removed: tuple[Removed, ...] = ()


def withdrawn_keys(
    short: pl.DataFrame,
    store: ObjectStore,
    keys: Collection[str] = (),
    patterns: Sequence[str] = (),
    where: str = "",
) -> frozenset[str]:
    """Keys of the samples that these name.

    Args:
        short: what a release has: ``key``, ``generator``, ``index`` and ``digest``.
        store: the dataset's bucket, below its prefix.
        keys: of samples.
        patterns: names of generators, or globs.
        where: a condition in SQL on the columns of the ledger; a sample that was made anew since is another.

    Raises:
        ReleaseError: a pattern names no generator of it, or the condition is none.
    """
    generators = short["generator"].unique().sort().to_list()
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in generators):
            raise ReleaseError(f"{pattern!r} names no generator of the release")
    found = {*keys}
    named = [name for name in generators if any(fnmatchcase(name, pattern) for pattern in patterns)]
    found.update(short.filter(pl.col("generator").is_in(named))["key"])
    if where:
        for name in generators:
            rows = _asked_for(read_part(store, name).rows, where).select("generator", "index", "digest")
            found.update(short.join(rows, on=["generator", "index", "digest"], how="semi")["key"])
    if not found:
        raise ReleaseError("the release has no such sample; nothing was changed")
    return frozenset(found)


def replacements(
    services: Services,
    release: Release,
    short: pl.DataFrame,
    scratch: Path,
    benchmarks: Sequence[Benchmark] = (),
) -> Replacements:
    """The samples of a release that the dataset has with another content now, proven as all are that are released.

    Args:
        services: what a look needs.
        release: the manifest.
        short: what it has: ``key``, ``generator``, ``index``, ``split``, ``digest``, ``param_hash`` and ``group``.
        scratch: an empty folder.
        benchmarks: samples that it must not have.

    Raises:
        ReleaseError: the release was compared with another benchmark than these.
    """
    plan = Plan(DatasetSpec.model_validate(release.spec, extra="ignore"))
    named = {share.generator for share in release.generators}
    without = [name for name in plan.generators if name not in named]
    choice = choose_samples(services, plan, scratch, leave_out=[*Unfit], without=without)
    now = pl.scan_parquet(choice.rows / ROWS).join(
        short.lazy().select("key", "generator", "index", pl.col("digest").alias("released")),
        on=["generator", "index"],
    )
    changed = now.filter(pl.col("digest") != pl.col("released")).drop("released").collect()
    if changed.height:
        _require_all(release, benchmarks)
    source = Source(services.samples(plan.spec.prefix), scratch)
    rows: dict[str, Row] = {}
    removed: list[Removed] = []
    hashes: list[dict[str, Any]] = []
    groups: dict[str, str] = dict(short.select("digest", "group").iter_rows())
    for row in changed.iter_rows(named=True):
        if is_archived(row):
            unpack(source.store, row["objects"][0]["key"], {row["index"]: row["task"]}, scratch)
        files = read_whole(source, row)
        against = next(
            (name for one in benchmarks if (name := one.find(row["digest"], files.get(FIRST_FRAME)))), ""
        )
        if against:
            by = DIGEST if any(row["digest"] in one.digests for one in benchmarks) else FRAME
            removed.append(Removed(key=row["key"], by=by, against=against))
            continue
        parameters = read_parameters(files)
        rows[row["key"]] = {**row, "group": group_of(row["digest"], groups)}
        hashes.append({"key": row["key"], "digest": row["digest"], "param_hash": parameters.param_hash})
    schema = {"key": pl.String, "digest": pl.String, "param_hash": pl.String}
    leaking = shown_elsewhere(short, pl.DataFrame(hashes, schema=schema))
    kept = {key: row for key, row in rows.items() if key not in leaking}
    return Replacements(kept, frozenset(leaking), tuple(removed))


def _require_all(release: Release, benchmarks: Sequence[Benchmark]) -> None:
    """See that all benchmarks are given that a release was compared with; what is replaced would not be compared."""
    given = {one.compared.sha256 for one in benchmarks}
    lacking = [one.name for one in release.benchmarks if one.sha256 not in given]
    if not release.benchmarks:
        names = {one.against.partition("/")[0] for one in release.decontaminated}
        lacking = sorted(names - {one.name for one in benchmarks})
    if lacking:
        raise ReleaseError(
            f"the release was compared with {lacking[0]!r}, as it was then; give it with --decontaminate again: new samples "
            "may equal it"
        )


def _asked_for(rows: pl.DataFrame, where: str) -> pl.DataFrame:
    try:
        return rows.filter(pl.sql_expr(where))
    except (pl.exceptions.PolarsError, TypeError) as error:
        why = " ".join(str(error).split())[:200]
        raise ReleaseError(
            f"{where[:200]!r} is no condition on the ledger ({why}); one looks like \"code = 'c0de' AND fps < 10\""
        ) from error
