"""Files what a plan takes: as a page to look at, and as JSON; after the run the page with what it took."""

import json
from collections.abc import Mapping
from typing import Any

from obstore.store import ObjectStore
from pydantic import BaseModel

from vbvrdatafactory.core import keys
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.pricing import PlanPrice
from vbvrdatafactory.report.costs import RunCosts
from vbvrdatafactory.report.plan_page import to_html
from vbvrdatafactory.s3.records import write_text

PLAN_HTML, PLAN_JSON = "plan.html", "plan.json"


def write_plan_page(store: ObjectStore, plan: Plan, price: PlanPrice, took: RunCosts | None = None) -> None:
    """File it with the dataset's reports."""
    dataset = plan.spec.dataset
    write_text(store, keys.dataset_file(dataset, PLAN_HTML), to_html(price, took))
    write_text(store, keys.dataset_file(dataset, PLAN_JSON), plan_json(price))


def plan_json(price: PlanPrice) -> str:
    """What a plan takes, as JSON: the fields of `PlanPrice`, by their names, with the sums in ``usd`` and ``gb_seconds``."""
    sums = {"usd": price.usd, "gb_seconds": price.gb_seconds, "problems": price.problems}
    return json.dumps(_plain({**price._asdict(), **sums}), indent=1) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any part of it
    """Values as JSON has them: named tuples and models as objects."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
