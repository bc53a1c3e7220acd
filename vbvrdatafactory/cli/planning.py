"""Shows what a dataset takes."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vbvrdatafactory.cli import output
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.cli.submission import plan as plan_of
from vbvrdatafactory.driver.observe import observe_plan
from vbvrdatafactory.driver.plan_page import plan_json
from vbvrdatafactory.driver.pricing import price_missing
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.pricing import PlanPrice
from vbvrdatafactory.report.plan_page import to_html
from vbvrdatafactory.report.plan_text import (
    CHOICE_COLUMNS,
    COLUMNS,
    cells,
    choice_cells,
    headline,
    notes,
    total_cells,
)
from vbvrdatafactory.s3.specs import read_spec


def show(
    app: App, patterns: Sequence[str], asked: dict[str, Any], html: Path | None, *, as_json: bool
) -> None:
    """Price a dataset and print that; without patterns one that the bucket describes."""
    planned = plan_of(app, patterns, asked) if patterns else Plan(read_spec(app.store(), asked["dataset"]))
    with output.listing(f"bucket {app.bucket_name}") as on_listed:
        seen = observe_plan(app.services, planned, on_listed, save=False)
    price = price_missing(app.services, planned, seen)
    if html:
        html.write_text(to_html(price), encoding="utf-8")
    if as_json:
        output.say_raw(plan_json(price))
    else:
        tables(price)
    if price.problems:
        sys.exit(1)


def tables(price: PlanPrice) -> None:
    """Print what each generator takes, the choices, and what to know of them."""
    if price.generators:
        rows = [cells(one) for one in price.generators]
        output.show(output.table(COLUMNS, rows, footer=total_cells(price)))
        output.show(output.table(CHOICE_COLUMNS, [choice_cells(one) for one in price.choices]))
    output.say(f"{headline(price)}.")
    for line in notes(price):
        output.say(line)
