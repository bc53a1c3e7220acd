"""Bands in the bucket: filed once, and those of before, which measured otherwise, are not held against anybody."""

from datetime import UTC, datetime

import obstore
from obstore.store import MemoryStore

from lambda_worker.gate.bands import Bands
from vbvrdatafactory.core.records import Band, BandEnd, BandRecord
from vbvrdatafactory.driver.reports import find_bands
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3 import records

GENERATOR, CODE = "O-10_shape", "ab" * 32
BEFORE = f"_datafactory/bands/{GENERATOR}/{CODE[:16]}.json"


def band(samples: int, *, is_held: bool = False) -> Band:
    end = BandEnd(
        within_median=10, within_most=21, across_tenth=43, across_median=78, limit=31, is_held=is_held
    )
    return Band(samples=samples, start=end, end=end)


def left_by_an_older_worker(store: MemoryStore) -> None:
    record = BandRecord(
        generator=GENERATOR, code=CODE, band=band(32), made_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    records.write(store, BEFORE, record)


def test_a_band_is_filed_once() -> None:
    """The second batch's is for nobody; a worker that begins later finds the first."""
    store = MemoryStore()
    Bands().file(store, GENERATOR, CODE, band(16))
    Bands().file(store, GENERATOR, CODE, band(20))
    assert Bands().find(store, GENERATOR, CODE) == band(16)
    assert Bands().find(store, GENERATOR, "cd" * 32) is None


def test_a_band_of_before_holds_nobody_and_stays() -> None:
    """Its differences were of other values: the next batch shows the band anew, and older workers find theirs."""
    store = MemoryStore()
    left_by_an_older_worker(store)
    before = bytes(obstore.get(store, BEFORE).bytes())
    bands = Bands()
    assert bands.find(store, GENERATOR, CODE) is None
    bands.file(store, GENERATOR, CODE, band(16))
    assert bands.find(store, GENERATOR, CODE) == band(16)
    assert bytes(obstore.get(store, BEFORE).bytes()) == before


def test_a_report_names_a_band_of_before_until_there_is_another() -> None:
    """That a generator's videos do not end as its pictures is true still; it is not said twice."""
    store = MemoryStore()
    plan = Plan(make_spec(dataset="d", generators=(GENERATOR,), samples=50))
    left_by_an_older_worker(store)
    assert [one.band.samples for one in find_bands(store, plan)] == [32]
    Bands().file(store, GENERATOR, CODE, band(16))
    assert [one.band.samples for one in find_bands(store, plan)] == [16]
    Bands().file(store, GENERATOR, "cd" * 32, band(18, is_held=True))
    assert [one.band.samples for one in find_bands(store, plan)] == [16]
