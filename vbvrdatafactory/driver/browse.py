"""Looks at a dataset for people: what each sample is, kept in a folder while it is shown, and the files of some."""

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from vbvrdatafactory.browse.choice import Query, choose, with_copies
from vbvrdatafactory.browse.heat import Heat, make_heat
from vbvrdatafactory.browse.shown import Card, Failed, RunLink, Shown
from vbvrdatafactory.browse.states import WORDS, tell_torn
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.contract import KNOWN_FILES, METADATA, PROMPT, QUESTION_METADATA, required_files
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.driver.contents import Found
from vbvrdatafactory.driver.observe import observe_plan
from vbvrdatafactory.driver.runs import FiledRun, list_runs
from vbvrdatafactory.driver.sample_files import read_sample
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.ledger.places import Place, find_places
from vbvrdatafactory.ledger.schema import SCHEMA
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3 import reading
from vbvrdatafactory.s3.listing import Listed
from vbvrdatafactory.s3.records import READ_THREADS, read_if_valid

_MOST_TEXT = 20_000
_FACTS = (
    "digest", "metadata_digest", "seed", "salt", "start", "count", "python_hash_seed", "code", "commit", "tree",
    "environment", "python", "worker", "fps", "frames", "width", "height", "made_at", "receipt", "libraries",
)  # fmt: skip


class Chosen(NamedTuple):
    """One sample to show: its generator, its index, where it lies, its state and its row of the ledger."""

    generator: str
    sample_index: int
    place: Place
    state: str
    row: dict[str, Any]


class Look:
    """A dataset as it is now.

    Args:
        services: its bucket.
        plan: its plan.
        folder: keeps the tables of each generator: those of three million samples do not fit in memory.
    """

    def __init__(self, services: Services, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self._services, self._folder = services, folder
        self._store = services.samples(plan.spec.prefix)
        self._required = required_files(plan.spec.require)
        self._numbers = {name: number for number, name in enumerate(plan.generators)}
        self.states: dict[str, bytes] = {}
        self.generators = tuple(plan.generators)
        self.at = datetime.now(UTC)
        self.read = lru_cache(maxsize=128)(partial(read_sample, self._store))

    def take(self, on_listed: Listed | None = None) -> None:
        """List the bucket and join it with the ledger. Nothing is written to the bucket."""
        seen = observe_plan(self._services, self.plan, on_listed, save=False, on_found=self._keep)
        self._evidence = seen.evidence
        self.heat: Heat = make_heat(self.states)

    def _keep(self, generator: str, found: Found) -> None:
        self.states[generator] = tell_torn(found.contents.states, found.listed)
        found.rows.select(list(SCHEMA)).write_parquet(self._table("rows", generator))
        found.listed.write_parquet(self._table("listed", generator))

    def _table(self, name: str, generator: str) -> Path:
        return self._folder / f"{self._numbers[generator]:05d}.{name}.parquet"

    def choose(self, query: Query, generators: Iterable[str], most: int) -> tuple[list[Chosen], int]:
        """At most `most` samples of each of these generators, and how many the choice was from."""
        chosen: list[Chosen] = []
        total = 0
        for generator in generators:
            indices, found = self._choose(query, generator, most)
            chosen += self.find(generator, indices)
            total += found
        return chosen, total

    def having(self, query: Query) -> list[str]:
        """The generators that have any sample as the query asks; all of those it names, where it asks for no kind."""
        named = [name for name in self.generators if query.generator in ("", name)]
        if not query.state and not query.needs_ledger:
            return named
        return [name for name in named if self._choose(query, name, 0)[1]]

    def _choose(self, query: Query, generator: str, most: int) -> tuple[list[int], int]:
        rows = SCHEMA.to_frame()
        if query.needs_ledger:
            rows = pl.read_parquet(self._table("rows", generator), columns=["index", "digest"])
        return choose(query, generator, self.states[generator], rows, most)

    def find(self, generator: str, indices: Iterable[int]) -> list[Chosen]:
        """These samples of a generator, but for those of which nothing is there."""
        wanted = set(indices)
        if not wanted:
            return []
        listed = pl.read_parquet(self._table("listed", generator))
        places = find_places(listed, wanted, ()) | find_places(listed, wanted, self._required)
        rows = pl.read_parquet(self._table("rows", generator))
        known = {
            row["index"]: row
            for row in rows.filter(pl.col("index").is_in(list(wanted))).iter_rows(named=True)
        }
        copies = dict(with_copies(rows.select("index", "digest")).select("index", "copy_of").iter_rows())
        states = self.states[generator]
        return [
            Chosen(
                generator,
                index,
                places[index],
                WORDS[states[index]],
                {**known.get(index, {}), "copy_of": copies.get(index)},
            )
            for index in sorted(places)
            if index < len(states)
        ]

    def file(self, generator: str, index: int, name: str) -> bytes:
        """One file of a sample.

        Raises:
            FileNotFoundError: there is none.
            DataFactoryError: it can't be read.
        """
        if generator not in self._numbers or name not in KNOWN_FILES:
            raise FileNotFoundError(name)
        for chosen in self._found(generator, index):
            if (files := self.read(chosen.place, generator)) and name in files:
                return files[name]
        raise FileNotFoundError(name)

    @lru_cache(maxsize=1024)  # noqa: B019 - one look lives as long as its command
    def _found(self, generator: str, index: int) -> list[Chosen]:
        return self.find(generator, [index])

    def cards(self, chosen: Iterable[Chosen], root: str) -> list[Card]:
        """The samples as they are shown; their files are at `root`, then generator, index and name."""
        with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as pool:
            return list(pool.map(lambda one: self._card(one, root), chosen))

    def _card(self, one: Chosen, root: str) -> Card:
        problem, files = "", dict[str, bytes]()
        try:
            files = self.read(one.place, one.generator)
        except DataFactoryError as error:
            problem = str(error)
        texts = {
            name: data[:_MOST_TEXT].decode(errors="replace").strip()
            for name, data in files.items()
            if not name.endswith((".png", ".mp4"))
        }
        row = one.row
        facts = [("stored as", one.place.archive or one.place.objects[0].key.rpartition("/")[0])]
        facts += [(name, str(row[name])) for name in _FACTS if row.get(name) not in (None, "")]
        return Card(
            one.generator,
            one.sample_index,
            one.state,
            {name: f"{root}{one.generator}/{one.sample_index}/{name}" for name in files},
            texts.get(PROMPT, ""),
            {name: _indented(texts[name]) for name in (METADATA, QUESTION_METADATA) if name in texts},
            tuple(facts),
            row.get("digest") or "",
            row.get("copy_of"),
            problem,
        )

    def failures(self, generators: Iterable[str], most: int) -> tuple[list[Failed], int]:
        """The latest failed attempts of each of these generators, and how many more there are."""
        of_each = {name: self._evidence.failures(name)[::-1] for name in generators}
        shown = [failed.key for found in of_each.values() for failed in found[:most]]
        with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as pool:
            records = pool.map(
                lambda key: read_if_valid(self._store, keys.failure(key), FailureRecord), shown
            )
            failed = [
                Failed(key.generator, str(key.indices), record)
                for key, record in zip(shown, records, strict=True)
                if record
            ]
        return failed, sum(map(len, of_each.values())) - len(shown)

    def shown(
        self,
        query: Query,
        bucket: str,
        choice: tuple[Iterable[Chosen], int],
        failures: tuple[Sequence[Failed], int],
    ) -> Shown:
        """What a page shows, as one that is served; files of samples are at ``sample/``, and reports at ``run/``.

        Args:
            query: what was asked for.
            bucket: the bucket's name, for people.
            choice: what `choose` gave.
            failures: what `failures` gave.
        """
        chosen, found = choice
        failed, more = failures
        return Shown(
            self.plan.spec.dataset,
            bucket,
            f"{self.at:%Y-%m-%d %H:%M:%S %Z}",
            query,
            self.generators,
            self.heat,
            self.cards(chosen, "sample/"),
            found,
            failed,
            more,
            self.runs("run/"),
        )

    def runs(self, root: str) -> list[RunLink]:
        """The dataset's runs; the page of each is at `root` and its name."""
        return [
            RunLink(f"{root}{run_name(run)}.html" if run.report else "", _told(run))
            for run in self.filed_runs()
        ]

    @lru_cache(maxsize=1)  # noqa: B019
    def filed_runs(self) -> list[FiledRun]:
        """The dataset's runs as they are filed."""
        return list_runs(self._services.bucket, self.plan.spec.dataset, 100)

    def report(self, name: str) -> bytes:
        """The page of a run.

        Raises:
            FileNotFoundError: there is none.
        """
        key = next((run.key for run in self.filed_runs() if run_name(run) == name), None)
        if key is None:
            raise FileNotFoundError(name)
        return reading.read(self._services.bucket, key).data


def run_name(run: FiledRun) -> str:
    """What a run is called; "latest" where its report is the dataset's own."""
    return keys.parse_run_folder(run.key.rpartition("/")[0]) or "latest"


def _told(run: FiledRun) -> str:
    if run.report is None:
        return f"{run.key}: {run.problem}"
    return f"{run.report.at:%Y-%m-%d %H:%M:%S %Z}: {run.report.headline}"


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
