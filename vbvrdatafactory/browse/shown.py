"""What the page shows, as values."""

from collections.abc import Sequence
from typing import NamedTuple

from vbvrdatafactory.browse.choice import Query
from vbvrdatafactory.browse.heat import Heat
from vbvrdatafactory.core.records import FailureRecord


class Card(NamedTuple):
    """One sample.

    Args:
        generator, sample_index: which it is.
        state: in words.
        urls: where its files are, by their names.
        prompt: its prompt; empty where it has none.
        metadata: its metadata as text, by the names of the files.
        facts: what is recorded of it and of what made it.
        digest: of its content; empty where none is recorded.
        copy_of: the first sample with the same content, where that is another one.
        problem: why its files can't be read; empty where they can.
    """

    generator: str
    sample_index: int
    state: str
    urls: dict[str, str]
    prompt: str
    metadata: dict[str, str]
    facts: tuple[tuple[str, str], ...]
    digest: str = ""
    copy_of: int | None = None
    problem: str = ""


class Failed(NamedTuple):
    """One failed attempt: its generator, its indices and the record of it."""

    generator: str
    indices: str
    record: FailureRecord


class RunLink(NamedTuple):
    """One run: where its report is, empty where there is none, and what it says."""

    url: str
    text: str


class Shown(NamedTuple):
    """All that the page shows.

    Args:
        dataset: its name.
        bucket: where it lies.
        at: when it was looked at.
        query: what was asked for.
        generators: all of the dataset's.
        heat: the map.
        cards: samples.
        found: how many samples the choice was from.
        failures: the latest failed attempts of the generators shown.
        more_failures: how many more there are of those.
        runs: of the dataset, the latest first.
        pages: how many pages of generators there are.
        is_served: whether a server answers what is asked; of a written page a script filters what is there.
    """

    dataset: str
    bucket: str
    at: str
    query: Query
    generators: Sequence[str]
    heat: Heat
    cards: Sequence[Card]
    found: int
    failures: Sequence[Failed]
    more_failures: int
    runs: Sequence[RunLink]
    pages: int = 1
    is_served: bool = True
