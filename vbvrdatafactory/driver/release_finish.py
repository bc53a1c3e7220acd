"""Puts the parts of a build together: one table of metadata, and nothing left of the build."""

import io
import shutil
from collections.abc import Sequence
from contextlib import suppress

import obstore
import pyarrow.parquet as pq

from vbvrdatafactory.driver.release_place import BUILD, PUZZLES, Place
from vbvrdatafactory.driver.release_puzzles import require_whole_puzzles
from vbvrdatafactory.driver.release_shard import rows_path
from vbvrdatafactory.release.layout import TABLE
from vbvrdatafactory.release.table import SCHEMA
from vbvrdatafactory.s3 import reading
from vbvrdatafactory.s3.listing import sizes

# As many rows are read by the Hub's viewer at a time.
_ROWS = 10_000


def write_table(target: Place, shards: Sequence[str]) -> None:
    """Write ``metadata.parquet`` of the metadata of these shards, one after the other.

    Args:
        target: the release.
        shards: their paths.

    Raises:
        ReleaseError: samples of one puzzle are in several groups.
    """
    store = target.store()
    schema = SCHEMA.to_frame().to_arrow().schema
    with target.scratch() as folder:
        file = folder / TABLE
        with pq.ParquetWriter(file, schema, compression="zstd", write_page_index=True) as writer:
            for path in shards:
                rows = pq.read_table(io.BytesIO(reading.read(store, rows_path(path)).data))
                writer.write_table(rows.cast(schema), row_group_size=_ROWS)
        require_whole_puzzles(store, file)
        target.take(file, TABLE)


def delete_puzzles(target: Place) -> None:
    """Delete what was read of samples before it was known that nothing is to be built; a change that was begun stays."""
    store = target.store()
    if left := [key for key, _ in sizes(store, PUZZLES)]:
        obstore.delete(store, left)
    if target.folder:
        for folder in (PUZZLES, BUILD):
            with suppress(OSError):
                (target.folder / folder).rmdir()


def delete_build(target: Place) -> None:
    """Delete what only the build needed."""
    if target.folder:
        shutil.rmtree(target.folder / BUILD, ignore_errors=True)
        return
    store = target.store()
    left = [key for key, _ in sizes(store, BUILD)]
    if left:
        obstore.delete(store, left)
