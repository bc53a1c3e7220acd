"""What a plan takes, as text and as a page."""

import re

from tests.certified import certificate
from tests.planning.test_pricing import TERMS, plan_price
from vbvrdatafactory.planning.estimates import Estimate
from vbvrdatafactory.planning.spent import Spent, Took
from vbvrdatafactory.report import plan_text
from vbvrdatafactory.report.costs import Forecast, Range, RunCosts, generator_costs
from vbvrdatafactory.report.plan_page import to_html, to_markdown

HOSTILE = "<script>alert(1)</script>|`x`"


def costs(**otherwise: object) -> RunCosts:
    rows = generator_costs(
        {"A": Forecast(10_000, Estimate(80, 100, 120), Estimate(0.8, 1.0, 1.2))},
        Spent({"A": Took(100, 10_000, 500, 110, 1.1), "B": Took(1, 10, 5, 9, 0.1)}),
    )
    fields = {"prices": str(TERMS.prices), "usd": 1.3, "gb_seconds": 130, "generators": rows, **otherwise}
    return RunCosts(**fields)


def test_the_headline_has_money_and_time_each_with_its_range() -> None:
    """In one sentence; without certificates it says that nothing can be said."""
    line = plan_text.headline(plan_price([certificate("A")]))
    assert re.fullmatch(
        r"d: 10,000 samples in \d+ batches take about \$0\.\d+ \(\$0\.\d+ to \$0\.\d+\) and \S+ \w+ \(.* to .*\)",
        line,
    )
    assert plan_text.headline(plan_price([], failed={"A": "x"})).endswith("nothing is to be made")


def test_the_notes_say_by_which_prices_and_for_which_workers() -> None:
    """With their date, what requests and storage are, which choice is cheapest, and who is left out."""
    found = plan_price([certificate("A", each=0.5)], failed={"C": "crash; boom"})
    notes = "\n".join(plan_text.notes(found))
    for said in (
        "list prices of us-east-2 of 2026-07-01",
        "with a tar archive for each batch",
        "a month",
        "Cheapest is",
        "Not to be made: C: crash; boom.",
        "1,769 MB, x86_64",
    ):
        assert said in notes


def test_the_notes_say_what_does_not_fit() -> None:
    """With the number."""
    notes = plan_text.notes(plan_price([certificate("B", each=900)]))
    assert (
        "Does not fit: B: a batch of 1 takes 15 min 01 s, and the function ends after 15 min 00 s." in notes
    )


def test_a_page_has_a_row_for_each_generator_the_dearest_first() -> None:
    """With its bar, the sum, and the other memory sizes."""
    page = to_html(plan_price([certificate("A"), certificate("B", each=0.5)]))
    assert page.index(">B<") < page.index(">A<")
    assert page.count("<svg") == 3
    assert ">total<" in page
    assert "3,008 MB" in page


def test_after_the_run_what_it_took_stands_beside_it() -> None:
    """A dot in each bar, red where it lies outside of the range, and the sentence of the whole run."""
    price = plan_price([certificate("A")])
    likely = price.generators[0].usd.likely
    for factor, colour in ((1.0, "--took"), (3.0, "--over")):
        took = generator_costs({}, Spent({"A": Took(100, 10_000, 0, 1, likely * factor)}))
        page = to_html(price, costs(generators=took))
        assert '<circle cx="' in page
        assert f'r="4" fill="var({colour})"' in page
        assert "It took 130 GB-seconds of Lambda, $1.30 with requests" in page


def test_what_a_stranger_calls_a_generator_is_only_text() -> None:
    """On the page, and on a run page."""
    one = certificate("A", passed=True, repeats=False).model_copy(update={"generator": "A"})
    price = plan_price([one])
    hostile = price._replace(
        generators=tuple(each._replace(generator=HOSTILE, remarks=(HOSTILE,)) for each in price.generators),
        failed={HOSTILE: HOSTILE},
        unknown=(HOSTILE,),
        dataset=HOSTILE,
    )
    assert "<script>" not in to_html(hostile)
    assert "<script>" not in to_markdown(hostile)
    assert "| <" not in to_markdown(hostile)


def test_a_run_page_shows_the_dearest_fifty() -> None:
    """And how many more there are; it stays small."""
    text = to_markdown(plan_price([certificate(f"G-{n}") for n in range(300)]))
    assert "250 cheaper generators are in the page." in text
    assert len(text) < 20_000


def test_costs_are_told_beside_what_was_estimated() -> None:
    """For each generator, and of the whole run in one sentence."""
    told = costs(
        forecast_usd=Range(low=1, likely=1.2, high=1.5),
        seconds=90,
        forecast_seconds=Range(low=60, likely=80, high=130),
    )
    assert told.line == (
        "It took 130 GB-seconds of Lambda, $1.30 with requests (list prices of us-east-2 of 2026-07-01), and "
        "1 min 30 s; $1.20 ($1.00 to $1.50) and 1 min (1 min to 2 min) were estimated."
    )
    first, second = told.generators
    assert (first.generator, first.forecast_usd.holds(first.usd)) == ("A", True)
    assert (second.generator, second.forecast_usd) == ("B", None)
    assert costs().line.endswith("(list prices of us-east-2 of 2026-07-01).")
