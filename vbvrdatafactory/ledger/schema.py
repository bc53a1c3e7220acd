"""The columns of the ledger, and its Parquet files.

One file for each generator, ``_datafactory/ledger/{generator}.parquet``, one row a sample. DuckDB, pandas and Polars read
it as it is. Its metadata has the names of the receipts that are folded in it, so that a next fold reads only new ones.
"""

import io
import json
from typing import NamedTuple

import polars as pl

from vbvrdatafactory.core.parsing import parse_json

OBJECT = pl.Struct({"key": pl.String, "size": pl.Int64, "e_tag": pl.String})
# What the whole batch used that a sample was made in; times in seconds.
USAGE = pl.Struct(
    {
        "seconds": pl.Float64,
        "certifying_seconds": pl.Float64,
        "cpu_seconds": pl.Float64,
        "memory_bytes": pl.Int64,
        "worker_bytes": pl.Int64,
        "disk_bytes": pl.Int64,
        "objects": pl.Int64,
        "stored_bytes": pl.Int64,
        "is_first": pl.Boolean,
        "function_mb": pl.Int64,
        "side_by_side": pl.Int64,
        "processor": pl.String,
    }
)

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    # Which sample it is, and its content: SHA-256 of frames, prompt and video, and of all other files.
    "generator": pl.String,
    "index": pl.Int64,
    "task": pl.String,
    "digest": pl.String,
    "metadata_digest": pl.String,
    # The objects as the bucket took them: those of its files, or its archive. Null where an older receipt does
    # not tell.
    "objects": pl.List(OBJECT),
    # What made it.
    "code": pl.String,
    "commit": pl.String,
    "tree": pl.String,
    "environment": pl.String,
    "python": pl.String,
    "libraries": pl.String,
    "fonts": pl.String,
    "worker": pl.String,
    # How: the run of `count` samples from `start` on, with this seed. Null where nobody recorded it.
    "start": pl.Int64,
    "count": pl.Int64,
    "seed": pl.Int64,
    "python_hash_seed": pl.Int64,
    "salt": pl.Int64,
    # Its video; null where it has none, or where that was not measured.
    "fps": pl.Float64,
    "frames": pl.Int32,
    "width": pl.Int32,
    "height": pl.Int32,
    # Null where an older worker made it.
    "usage": USAGE,
    # The record that says so, below `_datafactory/`, and when it was written.
    "receipt": pl.String,
    "made_at": pl.Datetime("us", "UTC"),
    "adopted": pl.Boolean,
    # The first sample of the generator with the same content, where that is another one.
    "copy_of": pl.Int64,
}
SCHEMA = pl.Schema(_COLUMNS)
_LATER = ("usage",)

_FOLDED = "datafactory.receipts"
_VERSION, _KNOWN_VERSION = "datafactory.schema_version", "1"


class Part(NamedTuple):
    """The ledger of one generator.

    Args:
        rows: one row a sample, by index; `SCHEMA` has the columns.
        folded: names of the receipts that are in it, below ``_datafactory/``.
    """

    rows: pl.DataFrame = SCHEMA.to_frame()
    folded: frozenset[str] = frozenset()


def to_parquet(part: Part) -> bytes:
    """The part as a Parquet file; the same part gives the same bytes."""
    file = io.BytesIO()
    metadata = {_FOLDED: json.dumps(sorted(part.folded)), _VERSION: _KNOWN_VERSION}
    part.rows.write_parquet(file, metadata=metadata)
    return file.getvalue()


def from_parquet(data: bytes) -> Part:
    """The part in a Parquet file.

    Raises:
        ValueError: it is none of the ledger's, or of a later version. It is made again from the receipts.
    """
    try:
        metadata = pl.read_parquet_metadata(io.BytesIO(data))
        if metadata[_VERSION] != _KNOWN_VERSION:
            raise ValueError(f"version {metadata[_VERSION]} of the ledger is not known here")
        found = pl.read_parquet(io.BytesIO(data))
        # No worker measured when there was no such column.
        later = [pl.lit(None).alias(name) for name in _LATER if name not in found.columns]
        rows = found.with_columns(later).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        folded = parse_json(metadata[_FOLDED])
    except (pl.exceptions.PolarsError, KeyError, TypeError) as error:
        raise ValueError(f"it is no ledger: {type(error).__name__}: {str(error)[:200]}") from error
    return Part(rows, frozenset(folded))
