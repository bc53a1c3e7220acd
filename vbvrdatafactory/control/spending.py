"""What a run may spend: whether it may begin, and how much of what is missing it may send."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vbvrdatafactory.control.approval import Approval
from vbvrdatafactory.core.humanize import format_usd
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.estimates import Estimate
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.plan import Plan

# Of what is left of a budget so much is sent for at once: the rest when it is known what that took.
_PORTION = 0.9
# A budget of which less is left is used up.
_USED_UP = 0.01


class Spending(NamedTuple):
    """What a run may spend.

    Args:
        max_cost_usd: at most so much in one run; None for any amount.
        require_approval: whether somebody must have approved what it will cost.
    """

    max_cost_usd: float | None = None
    require_approval: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether a run has to know its price before it sends."""
        return self.require_approval or self.max_cost_usd is not None

    def limit(self, approval: Approval | None) -> float | None:
        """What the run may spend; None for any amount."""
        limits = [self.max_cost_usd, approval.max_cost_usd if self.require_approval and approval else None]
        return min((limit for limit in limits if limit is not None), default=None)

    def lacks_approval(self, price: Estimate, approval: Approval | None, spent: float = 0.0) -> str:
        """Why a run of that price may not begin, as a phrase; empty where it may.

        A budget of `max_cost_usd` needs none: the run ends when it is used up.

        Args:
            price: what the run is estimated to cost.
            approval: what may be spent; None where nobody approved anything.
            spent: in dollars, since that was approved.
        """
        if not self.require_approval:
            return ""
        asked = min(price.likely, price.likely if self.max_cost_usd is None else self.max_cost_usd)
        if approval is None:
            return f"nobody approved {format_usd(asked)}"
        if approval.max_cost_usd - spent < asked:
            return f"of {approval}, {format_usd(spent)} are spent"
        return ""


def is_used_up(limit: float, spent: float) -> bool:
    """Whether too little of a budget is left to send anything for."""
    return limit - spent < _USED_UP * limit


def affordable(plan: Plan, gaps: Iterable[Gap], usd_each: Mapping[str, float], usd: float) -> list[Gap]:
    """What of some gaps can be sent for, in whole batches: the same share of each generator.

    Args:
        plan: the dataset's plan.
        gaps: what is missing.
        usd_each: what a sample of each generator costs.
        usd: what is left of the budget.
    """
    gaps = list(gaps)
    price = sum(usd_each.get(gap.generator, 0.0) * gap.samples for gap in gaps)
    if price <= usd * _PORTION:
        return gaps
    share = usd * _PORTION / price
    cut = [_first(gap, int(gap.samples * share), plan.generators[gap.generator].batch_size) for gap in gaps]
    found = [gap for gap in cut if gap.ranges]
    if found:
        return found
    # Less than a batch of each: one batch of the cheapest that can be paid.
    batches = [
        _first(gap, plan.generators[gap.generator].batch_size, 1)
        for gap in sorted(gaps, key=lambda gap: usd_each.get(gap.generator, 0.0))
    ]
    return [gap for gap in batches if usd_each.get(gap.generator, 0.0) * gap.samples <= usd][:1]


def _first(gap: Gap, samples: int, batch_size: int) -> Gap:
    """The first of a gap's samples, up to the border of a planned batch."""
    left, ranges = samples, list[IndexRange]()
    for one in gap.ranges:
        stop = min(one.stop, one.start + left)
        if stop < one.stop:
            stop = max(one.start, stop - stop % batch_size)
        if stop > one.start:
            ranges.append(IndexRange(one.start, stop))
        left -= one.size
        if left <= 0:
            break
    rest = gap.without(ranges)
    return gap.without(rest.ranges)
