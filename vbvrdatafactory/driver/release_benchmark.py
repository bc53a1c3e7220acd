"""Finds samples that equal those of a public benchmark."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from vbvrdatafactory.driver.release_choice import Choice
from vbvrdatafactory.driver.release_pool import Pool
from vbvrdatafactory.release.manifest import Removed


class Benchmark(NamedTuple):
    """Samples of a benchmark."""

    name: str


class Equal(NamedTuple):
    """Samples that equal one of a benchmark: ``generator`` and ``index``, and what they equal."""

    samples: pl.DataFrame
    removed: tuple[Removed, ...]


def find_equal(pool: Pool, choice: Choice, benchmarks: Sequence[Benchmark]) -> Equal:
    return Equal(choice.samples.select("generator", "index").clear(), ())
