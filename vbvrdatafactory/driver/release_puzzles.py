"""Reads what generators say that their puzzles are: the ``param_hash`` of each sample's metadata."""

import io
from collections import defaultdict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import obstore
import polars as pl
from obstore.store import ObjectStore

from vbvrdatafactory.core.contract import METADATA, QUESTION_METADATA
from vbvrdatafactory.driver.release_choice import ROWS
from vbvrdatafactory.driver.release_place import BUILD
from vbvrdatafactory.driver.release_pool import Context, Pool
from vbvrdatafactory.driver.release_samples import Row, Source, in_order, is_archived, read_some, unpack
from vbvrdatafactory.release.mixing import word
from vbvrdatafactory.release.table import read_parameters
from vbvrdatafactory.s3 import reading

# A generator whose first samples have no such hash has none.
_FIRST = 16
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
    store, path = (
        context.target.store(),
        f"{BUILD}puzzles/{sha256(generator.encode()).hexdigest()[:32]}.parquet",
    )
    known = _read_known(store, path)
    wanted = rows.select(_COLUMNS)
    if known is None or not known.select(_COLUMNS).equals(wanted):
        puzzles = _read(context, generator, rows)
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


def _read(context: Context, generator: str, rows: pl.DataFrame) -> list[int | None]:
    if any(map(is_archived, rows.select("objects").iter_rows(named=True))):
        return _read_archives(context, generator, rows)
    source = Source(context.store)
    first = [_puzzle(source, generator, row) for row in rows.head(_FIRST).iter_rows(named=True)]
    if not any(first):
        return [None] * rows.height
    rest = rows.slice(_FIRST).iter_rows(named=True)
    return [*first, *in_order(lambda row: _puzzle(source, generator, row), rest)]


def _read_archives(context: Context, generator: str, rows: pl.DataFrame) -> list[int | None]:
    """Archive after archive, as each has to be read to its end."""
    archives: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for row in rows.iter_rows(named=True):
        if is_archived(row):
            archives[row["objects"][0]["key"]][row["index"]] = row["task"]
    found: dict[int, int | None] = {}
    by_index = {row["index"]: row for row in rows.iter_rows(named=True)}
    for archive, indices in archives.items():
        with context.target.scratch() as folder:
            unpack(context.store, archive, indices, folder)
            source = Source(context.store, folder)
            found.update((index, _puzzle(source, generator, by_index[index])) for index in indices)
        if not any(found.values()):
            return [None] * rows.height
    source = Source(context.store)
    return [
        found[index] if index in found else _puzzle(source, generator, row) for index, row in by_index.items()
    ]


def _puzzle(source: Source, generator: str, row: Row) -> int | None:
    """A word of the generator and its hash; another generator means something else by the same hash."""
    try:
        given = read_parameters(read_some(source, row, (METADATA, QUESTION_METADATA))).param_hash
    except FileNotFoundError:
        # Whoever builds its shard says so.
        return None
    return None if given is None else word(f"{generator}\0{given}")
