"""Reads what generators say that their puzzles are: the ``param_hash`` of each sample's metadata."""

import io
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import obstore
import polars as pl
from obstore.store import ObjectStore

from vbvrdatafactory.core.contract import METADATA, QUESTION_METADATA
from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.driver.release_choice import ROWS
from vbvrdatafactory.driver.release_place import PUZZLES
from vbvrdatafactory.driver.release_pool import Context, Pool
from vbvrdatafactory.driver.release_samples import each_sample
from vbvrdatafactory.release.mixing import word
from vbvrdatafactory.release.table import read_parameters
from vbvrdatafactory.s3 import reading

# A version of a generator's code of which so many samples, from all over it, have no such hash has none. Where another one
# has one, the build finds out at its end, and the next one reads all.
_LOOKED_AT = 16
_ALL = f"{PUZZLES}all"
_COLUMNS = ("index", "digest", "metadata_digest")
_SCHEMA = pl.Schema(
    {"index": pl.Int64, "digest": pl.String, "metadata_digest": pl.String, "puzzle": pl.UInt64}
)


class Puzzles(NamedTuple):
    """The puzzles of one generator: how many samples were looked at, and ``index`` and ``puzzle`` of each."""

    generator: str
    samples: int
    found: pl.DataFrame


def read_puzzles(pool: Pool, rows: Path, on_read: Callable[[int], None]) -> dict[str, pl.DataFrame]:
    """``index`` and ``puzzle`` of the samples of each generator; null where it says nothing.

    Args:
        pool: reads them.
        rows: the folder with the ledger's rows of each generator.
        on_read: called with how many more samples were looked at.
    """
    found: dict[str, pl.DataFrame] = {}
    for one in pool.run(_of_generator, sorted(rows.glob(ROWS))):
        found[one.generator] = one.found
        on_read(one.samples)
    return found


def _of_generator(context: Context, file: Path) -> Puzzles:
    rows = pl.read_parquet(file)
    generator = rows["generator"][0]
    store = context.target.store()
    whole = has_to_read_all(store)
    name = f"{sha256(generator.encode()).hexdigest()[:32]}{'-all' if whole else ''}"
    path = f"{PUZZLES}{name}.parquet"
    known = _read_known(store, path)
    wanted = rows.select(_COLUMNS)
    if known is None or not known.select(_COLUMNS).equals(wanted):
        found = {}
        for part in rows.partition_by("code"):
            found.update(_read(context, generator, part, whole=whole))
        puzzles = [found[index] for index in rows["index"]]
        known = wanted.with_columns(pl.Series("puzzle", puzzles, pl.UInt64))
        data = io.BytesIO()
        known.write_parquet(data)
        obstore.put(store, path, data.getvalue())
    return Puzzles(generator, rows.height, known.select("index", "puzzle"))


def _read_known(store: ObjectStore, path: str) -> pl.DataFrame | None:
    """What an earlier build has read."""
    try:
        return pl.read_parquet(io.BytesIO(reading.read(store, path).data)).cast(dict(_SCHEMA))  # type: ignore[arg-type]
    except (FileNotFoundError, pl.exceptions.PolarsError):
        return None


def _read(context: Context, generator: str, rows: pl.DataFrame, *, whole: bool) -> dict[int, int | None]:
    """By index, a word of the generator and its hash for each sample; another generator means something else by the same hash."""

    def read(rows: pl.DataFrame) -> dict[int, int | None]:
        files = each_sample(context.store, context.target.scratch, rows, (METADATA, QUESTION_METADATA))
        told = ((row["index"], read_parameters(held).param_hash) for row, held in files)
        return {index: None if one is None else word(f"{generator}\0{one}") for index, one in told}

    some = rows.gather_every(max(1, rows.height // _LOOKED_AT))
    if not whole and rows.height > _LOOKED_AT and not any(read(some).values()):
        return dict.fromkeys(rows["index"])
    return read(rows)


def has_to_read_all(store: ObjectStore) -> bool:
    """Whether an earlier build found hashes that few samples have."""
    try:
        obstore.head(store, _ALL)
    except FileNotFoundError:
        return False
    return True


def require_whole_puzzles(store: ObjectStore, table: Path) -> None:
    """See that samples of one puzzle are in one group.

    Args:
        store: where the release lies: the next build is told to read the metadata of all samples.
        table: its ``metadata.parquet``.

    Raises:
        ReleaseError: some are in several.
    """
    puzzle = pl.struct("generator", "param_hash").hash()
    told = pl.scan_parquet(table).filter(pl.col("param_hash").is_not_null())
    apart = told.group_by(puzzle.alias("puzzle"), "generator").agg(pl.col("group").n_unique().alias("groups"))
    found = apart.filter(pl.col("groups") > 1).head(1).collect(engine="streaming")
    if found.height:
        obstore.put(store, _ALL, b"")
        raise ReleaseError(
            f"few samples of {found['generator'][0]!r} have a param_hash, and equal ones would not be in one split for "
            "certain; build again: the metadata of all samples are read then, before they are split"
        )
