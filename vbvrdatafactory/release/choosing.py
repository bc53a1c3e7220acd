"""Which samples of a generator a release holds: those that are proven to be what was asked for."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import NamedTuple

import polars as pl

from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.planning.contents import Contents, State
from vbvrdatafactory.release.layout import MEMBERS
from vbvrdatafactory.release.manifest import LeftOut
from vbvrdatafactory.release.tar import BLOCK


class Unfit(StrEnum):
    """Why a planned sample is not fit for a release."""

    GAPS = "gaps"
    FOREIGN = "foreign"
    UNPROVEN = "unproven"
    ADOPTED = "adopted"
    STALE = "stale"
    COPIES = "copies"


WHY = {
    Unfit.GAPS: "missing",
    Unfit.FOREIGN: "foreign: nobody recorded what they are",
    Unfit.UNPROVEN: "unproven: their receipts do not say what was stored",
    Unfit.ADOPTED: "adopted: nobody recorded how they were made",
    Unfit.STALE: "stale: of another seed, code or environment than was asked for",
    Unfit.COPIES: "copies of other samples",
}
_UNFIT = {
    State.NOT_WHOLE: Unfit.GAPS,
    State.UNFINISHED: Unfit.GAPS,
    State.FOREIGN: Unfit.FOREIGN,
    State.UNPROVEN: Unfit.UNPROVEN,
    State.ADOPTED: Unfit.ADOPTED,
    State.STALE_SEED: Unfit.STALE,
    State.STALE_CODE: Unfit.STALE,
    State.COPY: Unfit.COPIES,
    State.LAST_COPY: Unfit.COPIES,
}
# Whoever reads the columns that a release shows needs no more of the ledger.
LEDGER_COLUMNS = (
    *("generator", "index", "task", "digest", "metadata_digest", "objects", "code", "commit", "environment"),
    *("start", "count", "seed", "python_hash_seed", "salt", "fps", "frames", "width", "height"),
)
_ARCHIVE = ".tar.gz"


class Chosen(NamedTuple):
    """Samples of one generator.

    Args:
        rows: the ledger's rows of those that are fit, by index: `LEDGER_COLUMNS`.
        unfit: how many others there are, by what they are.
    """

    rows: pl.DataFrame
    unfit: Mapping[Unfit, int]


def choose(rows: pl.DataFrame, contents: Contents) -> Chosen:
    """The samples of a generator that are fit for a release.

    Args:
        rows: its ledger, and whether all objects of a sample are in the listing (``matched``).
        contents: the state of each planned sample.
    """
    states = pl.DataFrame(
        {"index": range(len(contents.states)), "state": [*contents.states]},
        schema={"index": pl.Int64, "state": pl.UInt8},
    )
    right = states.filter(pl.col("state") == State.RIGHT).join(rows.filter("matched"), on="index")
    known = right.filter(
        pl.col("digest").str.contains("^[0-9a-f]{64}$"), pl.col("objects").is_not_null()
    ).sort("index")
    unfit: dict[Unfit, int] = {}
    for state, why in _UNFIT.items():
        if count := contents.count(state):
            unfit[why] = unfit.get(why, 0) + count
    if undigested := contents.count(State.RIGHT) - known.height:
        unfit[Unfit.UNPROVEN] = unfit.get(Unfit.UNPROVEN, 0) + undigested
    return Chosen(known.select(LEDGER_COLUMNS), unfit)


def left_out(
    dataset: str, found: Mapping[str, Mapping[Unfit, int]], accepted: Collection[Unfit]
) -> tuple[LeftOut, ...]:
    """What is left out of a release, by generator.

    Args:
        dataset: its name.
        found: samples that are not fit, by generator.
        accepted: what may be left out.

    Raises:
        ReleaseError: something else would be left out.
    """
    refused: dict[Unfit, int] = {}
    for unfit in found.values():
        for why, count in unfit.items():
            if why not in accepted:
                refused[why] = refused.get(why, 0) + count
    if refused:
        told = "; ".join(f"{format_count(count, 'sample')} {WHY[why]}" for why, count in refused.items())
        moves = " ".join(f"--leave-out {why}" for why in refused)
        raise ReleaseError(
            f"dataset {dataset!r} is not fit for a release: {told}. Make it complete with 'datafactory submit', "
            f"or leave them out: {moves}"
        )
    return tuple(
        LeftOut(generator=generator, samples=count, why=WHY[why])
        for generator, unfit in sorted(found.items())
        for why, count in unfit.items()
    )


def sizes(rows: pl.DataFrame) -> pl.Series:
    """The bytes that each sample takes in a shard; of one in an archive about as many.

    Args:
        rows: `LEDGER_COLUMNS`.
    """
    objects = (
        rows.select("index", "count", "objects")
        .explode("objects")
        .unnest("objects")
        .with_columns(pl.col("key").str.split("/").list.last().alias("name"))
    )
    archived = pl.col("key").str.ends_with(_ARCHIVE) & (
        pl.col("key").str.count_matches("/", literal=True) == 1
    )
    padded = (pl.col("size") + BLOCK - 1) // BLOCK * BLOCK + BLOCK
    of_member = pl.when(pl.col("name").is_in(MEMBERS)).then(padded).otherwise(0)
    of_archive = pl.col("size") // pl.col("count").fill_null(1) + len(MEMBERS) * BLOCK
    taken = objects.with_columns(pl.when(archived).then(of_archive).otherwise(of_member).alias("bytes"))
    total = taken.group_by("index").agg(pl.col("bytes").sum())
    return rows.select("index").join(total, on="index", how="left", maintain_order="left")["bytes"]


def words(rows: pl.DataFrame, column: str) -> pl.Series:
    """The first 64 bits of digests, as numbers; 0 where there is none."""
    head = rows[column].fill_null("").str.head(16)
    return head.str.to_integer(base=16, dtype=pl.UInt64, strict=False).fill_null(0)
