"""What a run may spend."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.control.approval import Approval
from vbvrdatafactory.control.spending import Spending, affordable, is_used_up
from vbvrdatafactory.core.ranges import IndexRange, expand
from vbvrdatafactory.planning.estimates import Estimate
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.plan import Plan, make_spec

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PRICE = Estimate(80, 100, 120)
PLAN = Plan(make_spec(dataset="d", generators=["A", "B"], samples=1000, batch_size=10))


def approval(usd: float) -> Approval:
    return Approval(max_cost_usd=usd, by="me", at=NOW)


def test_who_limits_nothing_asks_for_nothing() -> None:
    """No budget, no approval: any price is allowed."""
    assert not Spending().is_limited
    assert Spending().lacks_approval(PRICE, None) == ""
    assert Spending().limit(None) is None


def test_what_nobody_approved_is_not_spent() -> None:
    """Nor more than was approved; what is approved is."""
    spending = Spending(require_approval=True)
    assert spending.is_limited
    assert spending.lacks_approval(PRICE, None) == "nobody approved $100.00"
    why = spending.lacks_approval(PRICE, approval(50))
    assert why == "of $50.00 approved by me at 2026-11-01 00:00:00 UTC, $0.00 are spent"
    assert spending.lacks_approval(PRICE, approval(150), 60) != ""
    assert spending.lacks_approval(PRICE, approval(150), 40) == ""
    assert spending.lacks_approval(PRICE, approval(100)) == ""
    assert spending.limit(approval(100)) == 100


def test_a_budget_needs_no_approval_and_limits_one() -> None:
    """The run ends when the smaller of the two is used up; a part of the price is enough to begin."""
    spending = Spending(max_cost_usd=30, require_approval=True)
    assert Spending(max_cost_usd=30).lacks_approval(PRICE, None) == ""
    assert spending.lacks_approval(PRICE, approval(30)) == ""
    assert spending.lacks_approval(PRICE, approval(20)) != ""
    assert (spending.limit(approval(500)), Spending(max_cost_usd=30).limit(None)) == (30, 30)


@pytest.mark.parametrize(("spent", "is_over"), [(0, False), (98.9, False), (99.1, True), (120, True)])
def test_a_budget_is_used_up_when_a_hundredth_is_left(spent, is_over) -> None:
    """Nothing worth sending can be had for less."""
    assert is_used_up(100, spent) is is_over
    assert is_used_up(0, 0) is False or affordable(PLAN, [], costing(), 0) == []


def gaps(*sizes: int) -> list[Gap]:
    return [Gap(name, (IndexRange(0, size),)) for name, size in zip("AB", sizes, strict=False)]


def costing(start: float = 0.0, **each: float) -> Callable[[Gap], float]:
    """What filling a gap costs where a batch costs `start`, and a sample of a generator so much."""

    def usd_of(gap: Gap) -> float:
        batches = {index // 10 for index in expand(gap.ranges)}
        return start * len(batches) + each[gap.generator] * gap.samples

    return usd_of


ALIKE = costing(A=0.01, B=0.01)


def test_what_is_affordable_is_sent_whole() -> None:
    """With a tenth to spare."""
    assert affordable(PLAN, gaps(1000, 1000), ALIKE, 23) == gaps(1000, 1000)


def test_else_the_same_share_of_each_in_whole_batches() -> None:
    """Nine tenths of what is left are sent for: the rest when it is known what that took."""
    assert affordable(PLAN, gaps(1000, 1000), ALIKE, 10) == gaps(450, 450)
    assert affordable(PLAN, gaps(1000, 200), ALIKE, 4) == gaps(300, 60)


def test_what_whole_batches_leave_of_a_share_buys_more() -> None:
    """A share of less than a batch of each is a batch of some, the most expensive first."""
    assert affordable(PLAN, gaps(1000, 1000), costing(A=0.02, B=0.01), 0.34) == gaps(10, 10)
    assert affordable(PLAN, gaps(1000, 1000), costing(A=0.02, B=0.01), 0.25) == gaps(10)
    assert affordable(PLAN, gaps(95, 1000), costing(A=0.01, B=0.1), 2) == gaps(10, 10)


def test_the_last_of_a_budget_buys_one_batch_or_nothing() -> None:
    """The most expensive one that it pays for; it need not leave a tenth then."""
    each = costing(A=0.02, B=0.019)
    assert affordable(PLAN, gaps(1000, 1000), each, 0.205) == [Gap("A", (IndexRange(0, 10),))]
    assert affordable(PLAN, gaps(1000, 1000), each, 0.195) == [Gap("B", (IndexRange(0, 10),))]
    assert affordable(PLAN, gaps(1000, 1000), each, 0.18) == []


def test_a_batch_of_few_samples_costs_its_start() -> None:
    """What is left of a batch is not had for the price of its samples alone."""
    part = [Gap("A", (IndexRange(9, 1000),))]
    assert affordable(PLAN, part, costing(start=1.0, A=0.01), 1.005) == []
    assert affordable(PLAN, part, costing(start=1.0, A=0.01), 1.05) == [Gap("A", (IndexRange(9, 10),))]


def test_copies_go_with_their_samples() -> None:
    """What is made again under another seed stays marked."""
    gap = Gap("A", (IndexRange(0, 100),), (IndexRange(5, 8), IndexRange(90, 95)))
    (found,) = affordable(PLAN, [gap], costing(A=1.0), 60)
    assert found == Gap("A", (IndexRange(0, 50),), (IndexRange(5, 8),))


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(1, 400)), min_size=1, max_size=2),
    st.floats(0.0001, 1),
    st.floats(0, 2),
    st.floats(0, 500),
)
def test_nothing_is_sent_that_a_budget_does_not_pay(parts, each, start, usd) -> None:
    """And nothing that is not missing; borders of batches are never cut but where a gap ends."""
    missing = [
        Gap(name, (IndexRange(start, start + size),))
        for name, (start, size) in zip("AB", parts, strict=False)
    ]
    usd_of = costing(start, A=each, B=each)
    found = affordable(PLAN, missing, usd_of, usd)
    assert sum(usd_of(gap) for gap in found) <= usd * (1 + 1e-9)
    for gap in found:
        (whole,) = next(one.ranges for one in missing if one.generator == gap.generator)
        (part,) = gap.ranges
        assert whole.start == part.start
        assert part.stop <= whole.stop
        assert part.stop == whole.stop or part.stop % 10 == 0
    if not found:
        assert min(usd_of(Gap(gap.generator, _first_batch(gap))) for gap in missing) > usd


def _first_batch(gap: Gap) -> tuple[IndexRange]:
    (whole,) = gap.ranges
    return (IndexRange(whole.start, min(whole.stop, whole.start - whole.start % 10 + 10)),)
