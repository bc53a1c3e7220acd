"""Reads samples again and compares their content with what is recorded of them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import NamedTuple

import polars as pl
from obstore.store import ObjectStore

from vbvrdatafactory.core.contract import required_files
from vbvrdatafactory.driver.contents import Found
from vbvrdatafactory.driver.reading_samples import ReadSample, read_samples
from vbvrdatafactory.ledger.places import Place, find_places
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3.records import READ_THREADS


class Recorded(NamedTuple):
    """A sample of which a digest is recorded: its generator, where it lies, and its digest."""

    generator: str
    place: Place
    digest: str


class Difference(NamedTuple):
    """A sample that is not what is recorded: its generator, its index, and how it differs."""

    generator: str
    sample_index: int
    why: str

    def __str__(self) -> str:
        return f"{self.generator} {self.sample_index}: {self.why}"


class SampleChoice:
    """Chooses whole samples to read again, while a dataset is observed.

    Args:
        plan: the dataset's plan.
        fraction: how many of them, above 0 and up to 1; each sample is as likely as any other.
        seed: which ones.
    """

    def __init__(self, plan: Plan, fraction: float, seed: int) -> None:
        self._required = required_files(plan.spec.require)
        self._fraction = fraction
        self._seed = seed
        self.chosen: list[Recorded] = []

    def take(self, generator: str, found: Found) -> None:
        """Choose among the samples of a generator."""
        draw = Random(f"{self._seed} {generator}")  # noqa: S311 - no secret
        known = found.rows.filter(
            pl.col("digest").is_not_null() & (pl.col("index") < len(found.contents.states))
        )
        digests = {
            index: digest
            for index, digest in known.sort("index").select("index", "digest").iter_rows()
            if found.contents.states[index] and draw.random() < self._fraction
        }
        places = find_places(found.listed, digests.keys(), self._required)
        self.chosen += [Recorded(generator, places[index], digests[index]) for index in sorted(places)]


def compare(
    store: ObjectStore, chosen: Sequence[Recorded], on_read: Callable[[int], None] = lambda _: None
) -> Iterator[Difference]:
    """Read these samples; those that differ from what is recorded of them, or can't be read.

    Args:
        store: the dataset's bucket.
        chosen: the samples.
        on_read: called with how many more were read.
    """
    by_place = {_name(one.place): one for one in chosen}
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as readers:
        for read in read_samples(store, (one.place for one in chosen), readers):
            on_read(1)
            recorded = by_place[_name(read.place)]
            if why := _difference(recorded, read):
                yield Difference(recorded.generator, read.place.sample_index, why)


def _name(place: Place) -> tuple[str, int]:
    return place.objects[0].key, place.sample_index


def _difference(recorded: Recorded, read: ReadSample) -> str:
    if read.problem:
        return f"it could not be read: {read.problem}"
    if read.digest != recorded.digest:
        return f"its content has the digest {read.digest[:16]}…, and {recorded.digest[:16]}… is recorded"
    return ""
