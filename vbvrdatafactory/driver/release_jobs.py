"""What each shard of a release is to hold, as files that other processes read."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import polars as pl

from vbvrdatafactory.driver.release_choice import ROWS
from vbvrdatafactory.driver.release_pool import Context, Pool
from vbvrdatafactory.driver.release_samples import ARCHIVE, is_archived, unpack
from vbvrdatafactory.driver.release_shard import Job, shard_path
from vbvrdatafactory.release.groups import name_of_group
from vbvrdatafactory.release.naming import sample_key

# Samples whose rows of the ledger are in memory at a time.
SAMPLES = 100_000
# Of samples that lie in archives, unpacked at a time.
UNPACKED_BYTES = 20_000_000_000
# Another layout of a shard's bytes has another number; rows have one in their shard's record.
_FORMAT = "1"


def fingerprints(arranged: pl.DataFrame) -> dict[tuple[str, int], str]:
    """Of each shard, by split and number, a digest of what it is to hold, in the order of the release.

    Args:
        arranged: samples in their order: ``generator``, ``index``, ``content``, ``other``, ``group``, ``split``, ``shard``.
    """
    found: dict[tuple[str, int], str] = {}
    for (split, shard), part in arranged.group_by("split", "shard", maintain_order=True):
        digest = sha256(_FORMAT.encode())
        digest.update("\0".join(part["generator"].cast(pl.String)).encode())
        for column in ("index", "content", "other", "group"):
            digest.update(part[column].to_numpy().tobytes())
        found[str(split), int(shard)] = digest.hexdigest()
    return found


@contextmanager
def written_jobs(
    rows: Path,
    arranged: pl.DataFrame,
    shards: Sequence[tuple[str, int]],
    prints: Mapping[tuple[str, int], str],
) -> Iterator[list[Job]]:
    """The jobs of these shards, as files that go when the block ends.

    Args:
        rows: the folder with the ledger's rows of each generator.
        arranged: samples in their order.
        shards: split and number of each.
        prints: the digest of what each is to hold.
    """
    places = _places(arranged)
    order = (
        pl.concat(arranged.slice(places[shard].first, places[shard].samples) for shard in shards)
        .with_row_index("place")
        .with_columns(pl.col("split").cast(pl.String), pl.col("generator").cast(pl.String))
        .select(
            "place", "generator", "index", "split", "shard", name_of_group(pl.col("group")).alias("group")
        )
    )
    with tempfile.TemporaryDirectory(dir=rows) as scratch:
        found = _joined(rows, order, Path(scratch)).sort("place")
        jobs = []
        for (split, number), part in found.group_by("split", "shard", maintain_order=True):
            path = shard_path(str(split), int(number))
            file = Path(scratch) / f"{split}-{number}.parquet"
            part.with_columns(_keys(part), pl.lit(path).alias("shard")).drop("place").write_parquet(file)
            jobs.append(Job(path, str(split), prints[str(split), int(number)], file))
        yield jobs


def windows(
    arranged: pl.DataFrame, shards: Sequence[tuple[str, int]], most_bytes: int | None = None
) -> Iterator[list[tuple[str, int]]]:
    """These shards, as many together as may be in memory, or unpacked, at a time.

    Args:
        arranged: samples in their order, with ``bytes``.
        shards: split and number of each.
        most_bytes: those that may be unpacked; None where nothing is.
    """
    places = _places(arranged)
    window: list[tuple[str, int]] = []
    samples = size = 0
    for shard in shards:
        _, more, larger = places[shard]
        if window and (samples + more > SAMPLES or (most_bytes and size + larger > most_bytes)):
            yield window
            window, samples, size = [], 0, 0
        window.append(shard)
        samples += more
        size += larger
    if window:
        yield window


def _joined(rows: Path, order: pl.DataFrame, scratch: Path) -> pl.DataFrame:
    """The ledger's rows of the samples in `order`.

    One generator's at a time, and by way of a file: text that is joined keeps all text in memory that it was read with.
    """
    of_each = order.partition_by("generator", as_dict=True)
    for file in rows.glob(ROWS):
        part = pl.read_parquet(file)
        if (wanted := of_each.get((part["generator"][0],))) is not None:
            joined = part.join(wanted, on=["generator", "index"])
            joined.write_parquet(scratch / f"joined-{file.name}")
    return pl.read_parquet(scratch / "joined-*.parquet")


class _Place(NamedTuple):
    """Where a shard's samples are in the order of a release: the first, how many, and their bytes."""

    first: int
    samples: int
    bytes: int


def _places(arranged: pl.DataFrame) -> dict[tuple[str, int], _Place]:
    each = arranged.group_by("split", "shard", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("samples"), pl.col("bytes").sum()
    )
    first = each["samples"].cum_sum() - each["samples"]
    rows = each.select("split", "shard", first.alias("first"), "samples", "bytes").iter_rows()
    return {(str(split), int(shard)): _Place(*place) for split, shard, *place in rows}


def has_archives(rows: Path) -> bool:
    """Whether any of the samples lies in an archive."""
    key = pl.col("objects").list.first().struct.field("key")
    return bool(pl.scan_parquet(rows / ROWS).select(key.str.ends_with(ARCHIVE).any()).collect().item())


def unpack_for(pool: Pool, jobs: Sequence[Job], folder: Path) -> None:
    """Unpack what these jobs need of archives, each archive once."""
    archives: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for job in jobs:
        for row in pl.read_parquet(job.rows, columns=["index", "task", "objects"]).iter_rows(named=True):
            if is_archived(row):
                archives[row["objects"][0]["key"]][row["index"]] = row["task"]
    for _ in pool.run(_unpack, [(archive, indices, folder) for archive, indices in archives.items()]):
        pass


def _unpack(context: Context, part: tuple[str, dict[int, str], Path]) -> None:
    unpack(context.store, *part)


def _keys(part: pl.DataFrame) -> pl.Series:
    names = part.select("generator", "index").iter_rows()
    return pl.Series("key", [sample_key(generator, index) for generator, index in names])
