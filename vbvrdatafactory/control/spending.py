"""What a run may spend: whether it may begin, and how much of what is missing it may send."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from vbvrdatafactory.control.approval import Approval
from vbvrdatafactory.core.humanize import format_usd
from vbvrdatafactory.core.ranges import IndexRange, expand
from vbvrdatafactory.planning.estimates import Estimate
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.plan import GeneratorPlan, Plan

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


def affordable(plan: Plan, gaps: Iterable[Gap], usd_of: Callable[[Gap], float], usd: float) -> list[Gap]:
    """What of some gaps can be sent for, in whole batches: about the same share of each generator.

    Args:
        plan: the dataset's plan.
        gaps: what is missing.
        usd_of: what filling a gap costs at most.
        usd: what is left of the budget.
    """
    gaps = list(gaps)
    prices = {gap.generator: usd_of(gap) for gap in gaps}
    price, room = sum(prices.values()), usd * _PORTION
    if price <= room:
        return gaps
    share, found = room / price, dict[str, Gap]()
    for gap in gaps:
        part = _to_border(gap, int(gap.samples * share), plan.generators[gap.generator])
        if part.ranges and (cost := usd_of(part)) <= room:
            found[gap.generator] = part
            room -= cost
    # Where whole batches left some of it, one more of each generator, the most expensive first.
    for gap in sorted(gaps, key=lambda gap: prices[gap.generator], reverse=True):
        part = found.get(gap.generator, Gap(gap.generator, ()))
        more = _and_a_batch(gap, part, plan.generators[gap.generator])
        cost = usd_of(more) - (usd_of(part) if part.ranges else 0.0)
        if more != part and cost <= room:
            found[gap.generator] = more
            room -= cost
    if found:
        return [found[gap.generator] for gap in gaps if gap.generator in found]
    # The last of a budget is for one batch, and need not leave a tenth.
    batches = [_and_a_batch(gap, Gap(gap.generator, ()), plan.generators[gap.generator]) for gap in gaps]
    paid = [(cost, batch) for batch in batches if (cost := usd_of(batch)) <= usd]
    return [max(paid)[1]] if paid else []


def _to_border(gap: Gap, samples: int, line: GeneratorPlan) -> Gap:
    """The first of a gap's samples, at most so many, up to the border of a planned batch."""
    at = next(islice(expand(gap.ranges), samples, None), None)
    return gap if at is None else _below(gap, line.planned_range(at).start)


def _and_a_batch(gap: Gap, part: Gap, line: GeneratorPlan) -> Gap:
    """The first part of a gap, with the planned batch that comes next."""
    at = next(islice(expand(gap.ranges), part.samples, None), None)
    return gap if at is None else _below(gap, line.planned_range(at).stop)


def _below(gap: Gap, index: int) -> Gap:
    """The samples of a gap that come before an index."""
    return gap.without([IndexRange(index, gap.ranges[-1].stop)]) if index < gap.ranges[-1].stop else gap
