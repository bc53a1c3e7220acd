"""Finds out what the samples of a dataset are: folds new receipts into the ledger, and joins it with a listing."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import polars as pl
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.driver.services import Log
from vbvrdatafactory.ledger.batches import find_batches
from vbvrdatafactory.ledger.codes import find_codes
from vbvrdatafactory.ledger.copies import with_copies_told
from vbvrdatafactory.ledger.fold import Matched, fold, match
from vbvrdatafactory.ledger.listing import to_table
from vbvrdatafactory.ledger.refilled import refilled
from vbvrdatafactory.ledger.schema import Part
from vbvrdatafactory.ledger.states import find_states, places_left
from vbvrdatafactory.ledger.videos import find_videos
from vbvrdatafactory.planning.batches import MeasuredBatch
from vbvrdatafactory.planning.codes import Code
from vbvrdatafactory.planning.contents import Contents
from vbvrdatafactory.planning.distinct import Distinct, count_distinct
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.gaps import Refilled
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.judging import Judge
from vbvrdatafactory.planning.videos import Videos
from vbvrdatafactory.s3.ledger import Source, name_of, read_part, read_rows, write_part
from vbvrdatafactory.s3.listing import Page


class Found(NamedTuple):
    """What the samples of one generator are; `Observation` has the same for all, but for the tables.

    Args:
        contents: the state of each.
        distinct: how many of them differ.
        left: keys of objects whose samples are all there in another place.
        refilled: samples that were made again since the look before.
        videos: rates and sizes of their videos.
        codes: which code made how many of them.
        batches: that made them, with what each used.
        rows: the ledger, one row a sample, and whether all its objects are in the listing (``matched``).
        listed: its objects: key, size and ETag.
    """

    contents: Contents
    distinct: Distinct
    left: Sequence[str]
    refilled: Refilled
    videos: Sequence[Videos]
    codes: Sequence[Code]
    batches: Sequence[MeasuredBatch]
    rows: pl.DataFrame
    listed: pl.DataFrame


class ContentReader:
    """Finds out what the samples of each generator are, one generator after the other or several at once.

    Args:
        store: the dataset's bucket.
        judge: judges the runs that made them.
        evidence: receipts and failure records of all generators.
        adopted: records of `datafactory adopt`, by generator.
        tried: of each generator, what this run has tried to make.
        readers: reads receipts.
        log: says where the ledger can't be written; None writes none.
    """

    def __init__(  # noqa: PLR0913 - what it reads
        self,
        store: ObjectStore,
        judge: Judge,
        evidence: Evidence,
        adopted: Mapping[str, Sequence[str]],
        tried: Mapping[str, Collection[IndexRange]],
        readers: Executor,
        log: Log | None,
    ) -> None:
        self._store, self._judge, self._evidence = store, judge, evidence
        self._adopted, self._tried, self._readers, self._log = adopted, tried, readers, log

    def read(self, generator: str, inventory: Inventory, pages: Sequence[Page]) -> Found:
        """What the samples of a generator are.

        Args:
            generator: its name.
            inventory: which of its samples are whole.
            pages: its objects, archives too.
        """
        part = read_part(self._store, generator)
        sources = self._sources(generator)
        new = [source for name, source in sources.items() if name not in part.folded]
        planned = IndexRange(0, self._judge.plan.generators[generator].samples)
        whole = inventory[generator].present(planned)
        listed = to_table(pages)
        rows = read_rows(self._store, new, self._readers)
        matched = match([part.rows, rows], listed)
        matched = self._with_earlier(matched, sources, whole, listed)
        self._save(generator, part, matched, new)
        states = find_states(generator, matched, whole, self._judge.of)
        if self._judge.plan.spec.distinct == "required":
            states = with_copies_told(states, matched.rows)
        tried = [*self._evidence.tried(generator), *self._tried.get(generator, ())]
        digests = matched.rows.filter(pl.col("index") < planned.stop)["digest"].drop_nulls().to_list()
        return Found(
            states.with_unfinished(tried),
            count_distinct(digests),
            places_left(matched),
            refilled(part.rows, matched.rows),
            find_videos(matched.rows, planned.stop),
            find_codes(matched.rows, planned.stop),
            find_batches(matched.rows),
            matched.rows,
            listed,
        )

    def _sources(self, generator: str) -> dict[str, Source]:
        """All that records samples of a generator, by its name in the ledger."""
        sources: list[Source] = [*self._evidence.receipts(generator), *self._adopted.get(generator, ())]
        return {name_of(source): source for source in sources}

    def _with_earlier(
        self, matched: Matched, sources: Mapping[str, Source], whole: bytes, listed: pl.DataFrame
    ) -> Matched:
        """The same, with rows of earlier receipts where the latest do not tell what lies in the bucket.

        An object may have been put back; and of two runs that overlap, either may have written last.
        """
        doubtful = matched.rows.filter(~pl.col("matched") & pl.col("objects").is_not_null())
        latest: dict[int, str] = dict(doubtful.select("index", "receipt").iter_rows())
        wanted = {index for index in latest if index < len(whole) and whole[index]}
        used = {latest[index] for index in wanted}
        earlier = [
            source
            for name, source in sources.items()
            if name not in used
            and not isinstance(source, str)
            and wanted.intersection(range(*source.indices))
        ]
        if not earlier:
            return matched
        further = read_rows(self._store, earlier, self._readers).filter(pl.col("index").is_in(list(wanted)))
        return match([matched.rows.drop("matched"), further], listed)

    def _save(self, generator: str, part: Part, matched: Matched, new: Sequence[Source]) -> None:
        """Write the ledger where it has changed; who may only read goes on without."""
        if self._log is None:
            return
        changed = fold(part, matched.rows, [name_of(source) for source in new])
        if changed.folded == part.folded and changed.rows["receipt"].equals(part.rows["receipt"]):
            return
        try:
            write_part(self._store, generator, changed)
        except BaseError as error:
            self._log.warning(
                "the ledger of %s was not written: %s", generator, for_terminal(str(error)[:300])
            )
