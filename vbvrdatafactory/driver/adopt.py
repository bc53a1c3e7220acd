"""Takes over samples that nobody recorded: reads each once, digests it, and files what it is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple
from uuid import uuid4

import polars as pl
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.contract import required_files
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import AdoptedSample, Adoption, SampleRun
from vbvrdatafactory.driver.contents import Found
from vbvrdatafactory.driver.observe import observe_plan
from vbvrdatafactory.driver.reading_samples import ReadSample, read_samples
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.ledger.places import Place, find_places
from vbvrdatafactory.planning.contents import State
from vbvrdatafactory.planning.plan import Override, Plan, make_spec
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import Listed, take_inventory
from vbvrdatafactory.s3.records import READ_THREADS

# Samples in one record.
_TOGETHER = 1000

_NOT_ADOPTED = frozenset({State.NOT_WHOLE, State.UNFINISHED})


class Candidates(NamedTuple):
    """Samples of one generator that could be adopted.

    Args:
        generator: its name.
        places: where they lie.
        runs: by index, the content digest in an older receipt, and the run that it records.
    """

    generator: str
    places: Sequence[Place]
    runs: dict[int, tuple[str, SampleRun]]


class Adopted(NamedTuple):
    """What was adopted.

    Args:
        samples: how many.
        known: of those, how many have the content that an older receipt recorded: how they were made is known.
        problems: why others could not be read, a line each.
    """

    samples: int = 0
    known: int = 0
    problems: tuple[str, ...] = ()


def plan_of_bucket(services: Services, prefix: str = "", on_listed: Listed | None = None) -> Plan:
    """A plan of all that a bucket holds below a prefix, of whatever dataset.

    Raises:
        DataFactoryError: it holds no samples, or the prefix is none.
    """
    spec = make_spec(generators=["any"], samples=1, prefix=prefix)
    inventory = take_inventory(services.samples(spec.prefix), on_listed=on_listed)
    samples = {name: inventory[name].end for name in inventory if inventory[name].end}
    if not samples:
        raise DataFactoryError("the bucket holds no samples; nothing to adopt")
    overrides = {name: Override(samples=count) for name, count in samples.items()}
    return Plan(
        make_spec(
            generators=[*samples],
            samples=max(samples.values()),
            batch_size=1,
            overrides=overrides,
            prefix=spec.prefix,
        )
    )


def find_candidates(services: Services, plan: Plan, on_listed: Listed | None = None) -> list[Candidates]:
    """The samples of a plan that are whole, and that no receipt and no earlier adoption records as they are."""
    found: list[Candidates] = []
    required = required_files(plan.spec.require)

    def take(generator: str, one: Found) -> None:
        candidates = _candidates(generator, one, required)
        if candidates.places:
            found.append(candidates)

    observe_plan(services, plan, on_listed, save=False, on_found=take)
    order = {name: place for place, name in enumerate(plan.generators)}
    return sorted(found, key=lambda each: order[each.generator])


def adopt(
    store: ObjectStore, candidates: Iterable[Candidates], on_read: Callable[[int], None] = lambda _: None
) -> Adopted:
    """Read these samples and file what each is; `on_read` is called with how many more were read."""
    adopted = Adopted()
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as readers:
        for of_one in candidates:
            samples = iter(read_samples(store, of_one.places, readers))
            while some := list(islice(samples, _TOGETHER)):
                done = _file(store, of_one, some)
                on_read(len(some))
                adopted = Adopted(
                    adopted.samples + done.samples,
                    adopted.known + done.known,
                    adopted.problems + done.problems,
                )
    return adopted


def _candidates(generator: str, found: Found, required: Sequence[str]) -> Candidates:
    states = found.contents.states
    matched = set(found.rows.filter("matched")["index"].to_list())
    wanted = {
        index
        for index, state in enumerate(states)
        if state not in _NOT_ADOPTED and (state == State.FOREIGN or index not in matched)
    }
    if not wanted:
        return Candidates(generator, (), {})
    places = find_places(found.listed, wanted, required)
    return Candidates(generator, [places[index] for index in sorted(places)], dict(_runs(found.rows, wanted)))


def _runs(rows: pl.DataFrame, wanted: set[int]) -> Iterator[tuple[int, tuple[str, SampleRun]]]:
    """What recorded the content of these samples, of those of which something did."""
    recorded = rows.filter(
        pl.col("index").is_in(list(wanted)) & pl.col("digest").is_not_null() & ~pl.col("adopted")
    )
    for row in recorded.iter_rows(named=True):
        yield row["index"], (row["digest"], SampleRun.model_validate(row))


def _file(store: ObjectStore, candidates: Candidates, read: Sequence[ReadSample]) -> Adopted:
    """Write one record of the samples that could be read."""
    samples = [_adopted(one, candidates) for one in read if not one.problem]
    if samples:
        now = datetime.now(UTC)
        adoption = Adoption(generator=candidates.generator, samples=tuple(samples), adopted_at=now)
        indices = [sample.index for sample in samples]
        made = keys.receipt_name(now, uuid4().hex[:8])
        within = IndexRange(min(indices), max(indices) + 1)
        key = keys.adoption(candidates.generator, within, made)
        records.write_text(store, key, adoption.model_dump_json() + "\n")
    known = sum(sample.run is not None for sample in samples)
    problems = (
        f"{candidates.generator} {one.place.sample_index}: {one.problem}" for one in read if one.problem
    )
    return Adopted(len(samples), known, tuple(problems))


def _adopted(read: ReadSample, candidates: Candidates) -> AdoptedSample:
    digest, run = candidates.runs.get(read.place.sample_index, ("", None))
    return AdoptedSample(
        index=read.place.sample_index,
        task=read.task,
        digest=read.digest,
        metadata_digest=read.metadata_digest,
        objects=read.place.objects,
        run=run if digest == read.digest else None,
    )
