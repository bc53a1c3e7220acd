"""What a release will be, as `datafactory release plan` says it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import polars as pl

from vbvrdatafactory.core.humanize import format_bytes, format_count, format_estimate
from vbvrdatafactory.release.layout import CARD, CHANGELOG, CROISSANT, MANIFEST, TABLE, picture
from vbvrdatafactory.release.manifest import LeftOut
from vbvrdatafactory.release.publishing import Limits, limit_problems

# What a row of the metadata takes, and what pictures on the card do, about.
_ROW_BYTES = 600
_PICTURE_BYTES = 200_000


class Split(NamedTuple):
    """A split: its name, samples, groups of equal puzzles, shards and bytes."""

    name: str
    samples: int
    groups: int
    shards: int
    bytes: int


class Forecast(NamedTuple):
    """What will come out.

    Args:
        splits: in their order.
        files: path and about the size of each file.
        generators: how many there are.
        left_out: what the dataset has beside it.
    """

    splits: tuple[Split, ...]
    files: tuple[tuple[str, int], ...]
    generators: int
    left_out: tuple[LeftOut, ...]

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.files)

    def problems(self, limits: Limits) -> Iterator[str]:
        """What a target would not take, or not from anybody."""
        yield from limit_problems(self.files, limits)
        if self.bytes > limits.bytes_granted:
            granted = format_bytes(limits.bytes_granted)
            yield f"{format_bytes(self.bytes)} in all; above {granted} a plan or a grant is needed: ask for it before you publish"

    def lines(self, mbit: float) -> Iterator[str]:
        """What it says, a line each.

        Args:
            mbit: megabits a second to and from this machine.
        """
        for one in self.splits:
            yield (
                f"{one.name}: {format_count(one.samples, 'sample')} of {format_count(one.groups, 'puzzle')}, "
                f"{format_count(one.shards, 'shard')}, {format_bytes(one.bytes)}"
            )
        for left in self.left_out:
            yield f"left out: {format_count(left.samples, 'sample')} of {left.generator}, {left.why}"
        samples = sum(one.samples for one in self.splits)
        yield (
            f"{format_count(samples, 'sample')} of {format_count(self.generators, 'generator')}, "
            f"{format_count(len(self.files), 'file')}, {format_bytes(self.bytes)}"
        )
        yield f"about {format_estimate(self.bytes * 8 / (mbit * 1e6))} to read at {mbit:,g} Mbit/s, and as much to publish"


def forecast(
    samples: pl.DataFrame, paths: Mapping[tuple[str, int], str], left_out: Iterable[LeftOut]
) -> Forecast:
    """What comes of samples that are arranged.

    Args:
        samples: as `release.order.arrange` returns them, with ``group``.
        paths: of each shard, by split and number.
        left_out: what the dataset has beside them.
    """
    each = samples.group_by("split", maintain_order=True).agg(
        pl.len().alias("samples"),
        pl.col("group").n_unique().alias("groups"),
        pl.col("shard").n_unique().alias("shards"),
        pl.col("bytes").sum(),
    )
    by_shard = samples.group_by("split", "shard", maintain_order=True).agg(pl.col("bytes").sum())
    shards = [(paths[str(split), int(shard)], int(size)) for split, shard, size in by_shard.iter_rows()]
    generators = samples["generator"].n_unique()
    others = [
        (TABLE, samples.height * _ROW_BYTES),
        *((name, 0) for name in (CARD, CROISSANT, MANIFEST, CHANGELOG)),
    ]
    pictures = [
        (picture(f"{n}", name), _PICTURE_BYTES) for n in range(generators) for name in ("first", "final")
    ]
    return Forecast(
        tuple(Split(*row) for row in each.iter_rows()),
        (*shards, *others, *pictures),
        generators,
        tuple(left_out),
    )
