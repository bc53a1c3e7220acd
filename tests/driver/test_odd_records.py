"""Records that anybody with access to the bucket may have written: what they say is used is held to amounts."""

import json
from datetime import UTC, datetime
from typing import Any

import obstore
import polars as pl
import pytest

from tests.certified import certificate, receipt
from tests.driver.test_pricing_loop import HEAVY, LIGHT, Measuring, play, spending
from vbvrdatafactory.control.approval import Approval
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.ledger.batches import find_batches
from vbvrdatafactory.ledger.rows import rows_of, table
from vbvrdatafactory.planning.lines import Measured, fit
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.certificates import read_certificates

ODD: list[dict[str, Any]] = [
    {"seconds": float("nan")},
    {"seconds": float("inf")},
    {"seconds": -1e9},
    {"seconds": 1e300},
    {"objects": 10**30},
    {"runs": []},
    {"runs": [{"samples": 20, "seconds": 1, "memory_bytes": 10**30}]},
    {"certifying_seconds": -1e9},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_receipt_whose_figures_are_no_amounts_changes_no_budget(cloud, odd: dict[str, Any]) -> None:
    """Nor does it end a run: it counts as one that can't be read."""
    world = Measuring(cloud, generators=(LIGHT, HEAVY))
    work = world.work

    def damaging(message: TaskMessage) -> None:
        work(message)
        if message.start_index != 20:
            return
        for one in obstore.list(cloud.store, prefix=f"_datafactory/receipts/{message.type}").collect():
            if "00020" in one["path"] or "20-" in one["path"]:
                data = json.loads(bytes(obstore.get(cloud.store, one["path"]).bytes()))
                data["usage"] |= odd
                records.write_text(cloud.store, one["path"], json.dumps(data))

    world.work = damaging  # type: ignore[method-assign]
    loop = play(world, **spending(max_cost_usd=0.001))
    assert world.made == 80
    assert loop.early is not None
    assert 0 < loop.run.spent.total.usd < 1


def test_a_damaged_certificate_is_left_out(cloud) -> None:
    """Its generator is certified again; one without a zone has UTC, and is in order with the others."""
    good = certificate()
    for number, odd in enumerate(
        ({"each": -1.0}, {"each": float("inf")}, {"spread": float("nan")}, {"batches": -1})
    ):
        data = good.model_dump(mode="json")
        data["costs"]["seconds"] |= odd
        key = keys.certificate(good.generator, f"odd{number}", "env")
        records.write_text(cloud.store, key, json.dumps({**data, "code": f"odd{number}"}))
    naive = {**good.model_dump(mode="json"), "certified_at": "2020-01-01T00:00:00"}
    records.write_text(cloud.store, keys.certificate(good.generator, "old", "env"), json.dumps(naive))
    records.write(cloud.store, keys.certificate(good.generator, "code", "env"), good)
    found = read_certificates(cloud.store, [good.generator])[good.generator]
    assert [one.certified_at for one in found] == [datetime(2020, 1, 1, tzinfo=UTC), good.certified_at]


def test_times_without_a_zone_are_of_utc() -> None:
    """They are compared with others: of receipts, and of approvals."""
    text = receipt(8).model_dump_json().replace('00Z"', '00"')
    assert Receipt.model_validate_json(text).finished_at.tzinfo is UTC
    assert Approval.model_validate_json('{"max_cost_usd": 1, "at": "2026-01-01T00:00:00"}').at.tzinfo is UTC


@pytest.mark.parametrize(
    "odd",
    [{"seconds": float("nan")}, {"seconds": -1.0}, {"side_by_side": 0}, {"memory_bytes": None}],
    ids=str,
)
def test_the_ledger_has_no_batches_with_figures_that_are_no_amounts(odd: dict[str, Any]) -> None:
    """It lies in the bucket as receipts do."""
    rows = [*rows_of("receipts/one.json", receipt(2))]
    other = [{**row, "receipt": "two", "usage": {**row["usage"], **odd}} for row in rows]
    assert len(find_batches(table([*rows, *other]))) == 1
    assert isinstance(table(rows), pl.DataFrame)


def test_a_line_through_absurd_points_is_a_line() -> None:
    """Next to nothing and all but endless: no figure overflows."""
    found = fit([Measured(1, 1e-300, 0.0), Measured(2, 1e-6, 1e-12), Measured(3, 1e7, 1e14)])
    assert 0 <= found.start < 1e9
    assert 0 <= found.each < 1e9
    assert found.spread <= 1000
