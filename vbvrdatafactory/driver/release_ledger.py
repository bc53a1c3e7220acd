"""Compares the digests of a release with what is recorded in the dataset's bucket now."""

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import polars as pl

from vbvrdatafactory.core.content import CONTENT_FILES
from vbvrdatafactory.core.contract import METADATA, QUESTION_METADATA
from vbvrdatafactory.core.errors import UnreadableRecordError
from vbvrdatafactory.driver.contents import Found
from vbvrdatafactory.driver.observe import observe_plan
from vbvrdatafactory.driver.release_samples import ARCHIVE
from vbvrdatafactory.driver.release_table import only_columns
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import DatasetSpec, Plan
from vbvrdatafactory.release.layout import MANIFEST, TABLE
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.release.traps import Finding, Trap
from vbvrdatafactory.s3.listing import Listed

_SHOWN = 20
_NAMES = ("index", "digest", "metadata_digest")
_FILES = pl.col("objects").list.eval(pl.element().struct.field("key").str.split("/").list.last())
_METADATA = _FILES.list.set_intersection([METADATA, QUESTION_METADATA]).list.len()
# What is recorded is a digest of all files beside the content; a release has one of them, and an archive's are not listed.
_IS_ALONE = (_METADATA == 1) & (_FILES.list.set_difference([*CONTENT_FILES]).list.len() == 1)
_HAS_NONE = (_METADATA == 0) & ~_FILES.list.first().str.ends_with(ARCHIVE)


def ledger_problems(
    services: Services, folder: Path, release: Release, on_listed: Listed | None = None
) -> list[Finding]:
    """Samples of a release that are recorded with other content, or not at all.

    The bucket is looked at as by a run, so receipts that no ledger has yet count; nothing is written.

    Args:
        services: of the dataset's bucket.
        folder: where the release is.
        release: its manifest.
        on_listed: called with the number of keys seen so far.

    Raises:
        UnreadableRecordError: the manifest's spec can't be read.
    """
    try:
        plan = Plan(DatasetSpec.model_validate(release.spec, extra="ignore"))
    except ValueError as error:
        raise UnreadableRecordError(f"the spec in {MANIFEST} is none of a dataset ({error})") from error
    names = [share.generator for share in release.generators if share.generator in plan.generators]
    findings, lock = list[Finding](), Lock()

    def compare(generator: str, found: Found) -> None:
        """Called from several threads."""
        differing = [*_differences(folder, generator, found.rows)]
        with lock:
            findings.extend(differing)

    observe_plan(services, plan, on_listed, generators=names, save=False, on_found=compare)
    return sorted(findings)


def _differences(folder: Path, generator: str, recorded: pl.DataFrame) -> Iterator[Finding]:
    own = only_columns(folder, ("key", *_NAMES), pl.col("generator") == generator)
    known = recorded.select(
        *_NAMES,
        (_IS_ALONE & (pl.col("metadata_digest") != "")).alias("is_alone"),
        _HAS_NONE.alias("has_none"),
    )
    joined = own.join(known, on="index", how="left", suffix="_recorded")
    is_other = (pl.col("is_alone") & (pl.col("metadata_digest") != pl.col("metadata_digest_recorded"))) | (
        pl.col("has_none") & (pl.col("metadata_digest") != "")
    )
    differing = joined.filter(
        (pl.col("digest") != pl.col("digest_recorded")).fill_null(value=True)
        | is_other.fill_null(value=False)
    )
    is_recorded = pl.col("digest_recorded").is_not_null()
    for key, known in differing.select("key", is_recorded).head(_SHOWN).iter_rows():
        what = "has other content in the ledger" if known else "is not in the ledger"
        yield Finding(Trap.LEDGER, TABLE, f"{key!r} {what}")
