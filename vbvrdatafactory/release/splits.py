"""Splits of a release: which group of equal puzzles is in which."""

import math
import re
from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.release.mixing import mix

TRAIN = "train"
# What `datasets` calls all splits together.
_EVERY = "all"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


def parse_splits(given: Iterable[str]) -> dict[str, float]:
    """Shares of samples by the names of splits; all others are in `TRAIN`.

    >>> parse_splits(["test=0.05", "validation=0.01"])
    {'test': 0.05, 'validation': 0.01}

    Raises:
        ReleaseError: one is no ``NAME=FRACTION``, is given twice, or there is nothing left for `TRAIN`.
    """
    shares: dict[str, float] = {}
    for text in given:
        name, _, fraction = text.partition("=")
        try:
            share = float(fraction)
        except ValueError:
            share = math.nan
        if not _NAME.fullmatch(name) or name in (TRAIN, _EVERY) or not 0 < share < 1:
            raise ReleaseError(
                f"{text[:100]!r} is no split; one looks like test=0.05: a name of a-z, 0-9 and '_' other than "
                f"{TRAIN!r} and {_EVERY!r}, and a share between 0 and 1"
            )
        if name in shares:
            raise ReleaseError(f"the split {name!r} is given twice; give each once")
        shares[name] = share
    if sum(shares.values()) >= 1:
        raise ReleaseError(f"splits of {sum(shares.values()):g} in all leave nothing to {TRAIN!r}; take less")
    return shares


def assign_splits(groups: pl.Series, shares: Mapping[str, float], seed: int) -> pl.Series:
    """The split of each sample, by its group alone: a sample more or less moves no other one.

    Args:
        groups: a word for each sample; those of one group are in one split.
        shares: what `parse_splits` returns.
        seed: the release's.
    """
    names = [*shares, TRAIN]
    places = mix(groups.to_numpy(), f"split {seed}").astype(np.float64) / 2.0**64
    ends = np.cumsum([*shares.values()])
    numbers = np.searchsorted(ends, places, side="right").astype(np.uint32)
    return pl.Series("split", names, pl.Enum(names)).gather(numbers)
