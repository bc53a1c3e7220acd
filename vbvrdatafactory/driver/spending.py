"""Whether a run may spend: its price is known, approved, and within its budget."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from vbvrdatafactory.control.approval import Approval
from vbvrdatafactory.control.spending import affordable, is_used_up
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.humanize import format_count, format_usd
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.core.usage import Usage
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.evidence import FailedAttempt
from vbvrdatafactory.planning.gaps import Gap, Observation
from vbvrdatafactory.planning.pricing import Certified, PlanPrice, Ranges, Terms, price_plan
from vbvrdatafactory.planning.replan import replays
from vbvrdatafactory.planning.spent import Failures, Spent, spent_since
from vbvrdatafactory.report.costs import Forecast, Range, RunCosts, generator_costs
from vbvrdatafactory.report.run_figures import EndedEarly, Reason
from vbvrdatafactory.s3.approval import read_approval
from vbvrdatafactory.s3.records import read_if_valid

# Failure records of one generator that are read; further ones count as much as these on average.
_READ = 50


class Allowed(NamedTuple):
    """What a run may send now.

    Args:
        gaps: of these samples.
        early: why it is to end instead; None where it may go on.
    """

    gaps: list[Gap]
    early: EndedEarly | None = None


def price(run: Run, terms: Terms, missing: Mapping[str, Ranges]) -> PlanPrice:
    """What making what is missing takes, of the generators that have a certificate."""
    passed = {name: one for name, one in run.certificates.items() if one.passed}
    failed = {name: one.problem for name, one in run.certificates.items() if not one.passed}
    again = {
        name: replays(run.plan, Gap(name, tuple(ranges)), run.evidence) for name, ranges in missing.items()
    }
    return price_plan(run.plan, missing, Certified(passed, failed), terms, again)


def allow(services: Services, run: Run, seen: Observation, gaps: Collection[Gap]) -> Allowed:
    """What of the gaps the run may send, by what it may spend and has spent.

    Args:
        services: the bucket, with the approval.
        run: the run.
        seen: what the last look showed.
        gaps: what is missing, of generators that have a certificate.
    """
    terms = run.terms
    if terms is None:
        raise DataFactoryError("a run without prices can't say what it may spend")
    spending, dataset = run.policy.spending, run.dataset
    priced = price(run, terms, {gap.generator: gap.ranges for gap in gaps})
    approval = read_approval(services.bucket, dataset) if spending.require_approval else None
    left = _left(services, run, terms, seen, approval)
    spent = spent_with_failures(services, run, terms, seen, approval.at).total.usd if approval else 0.0
    why = spending.lacks_approval(priced.usd, approval, spent)
    # One that is taken back, or deleted, counts in the middle of a run too.
    if why and not (run.is_approved and approval):
        asked = format_usd(priced.usd.likely)
        return Allowed(
            [],
            EndedEarly(
                reason=Reason.APPROVAL,
                detail=f"{format_count(priced.samples, 'sample')} are to be made for about {asked}, and {why}",
                next_move=f"'datafactory approve {dataset} --max-cost-usd {max(0.01, priced.usd.high):.2f}', or the flow "
                "approve-dataset; then run again",
            ),
        )
    run.is_approved = True
    if left is None:
        return Allowed([*gaps])
    limit, spent = left
    # By the upper end of what it may cost: less is left over then, and is spent in the next portion.
    found = [] if is_used_up(limit, spent) else affordable(run.plan, gaps, run.most_usd, limit - spent)
    if not found and not is_used_up(limit, spent):
        run.shorten_batches(gaps, limit - spent)
        found = affordable(run.plan, gaps, run.most_usd, limit - spent)
    if found:
        return Allowed(found)
    return Allowed(
        [],
        EndedEarly(
            reason=Reason.SPENT,
            detail=f"of {format_usd(limit)} that it may spend {format_usd(spent)} are spent; "
            f"{format_count(priced.samples, 'sample')} are left, for about {format_usd(priced.usd.likely)}",
            next_move="allow more with max_cost_usd (--max-cost-usd), or approve more; then run again, and it goes on where it was",
        ),
    )


def _left(
    services: Services, run: Run, terms: Terms, seen: Observation, approval: Approval | None
) -> tuple[float, float] | None:
    """(what may be spent, what is spent of it) of the budget that has least left; None without a budget."""
    budgets = []
    if run.policy.spending.max_cost_usd is not None:
        budgets.append((run.policy.spending.max_cost_usd, run.guard.since))
    if approval:
        budgets.append((approval.max_cost_usd, approval.at))
    found = [
        (limit, spent_with_failures(services, run, terms, seen, since).total.usd) for limit, since in budgets
    ]
    return min(found, key=lambda one: one[0] - one[1], default=None)


def spent_with_failures(  # noqa: PLR0913 - what, of which run, since when
    services: Services,
    run: Run,
    terms: Terms,
    seen: Observation,
    since: datetime,
    *,
    with_probes: bool = True,
) -> Spent:
    """What was spent since then: by receipts, by the records of attempts that failed, and for those that were lost.

    Without probes it is what batches took that were sent when it was known what they take, by records alone: what was lost may
    have been a probe.
    """
    spent = spent_since(
        {
            name: [one for one in its if with_probes or not one.certifying_seconds]
            for name, its in seen.batches.items()
        },
        since,
        terms,
    )
    for generator in run.plan.generators:
        failed = seen.evidence.attempts(generator, since)
        gone = seen.evidence.lost(generator, since) if with_probes else []
        lost = [run.longest_seconds(generator, one.size) for one in gone]
        if failed or lost:
            took = _took(services, run, failed, with_probes=with_probes)
            took = took._replace(attempts=took.attempts + len(lost), seconds=took.seconds + sum(lost))
            spent = spent.with_failed(generator, took, terms)
    return spent


def _took(services: Services, run: Run, failed: list[FailedAttempt], *, with_probes: bool) -> Failures:
    """What failed attempts took; one whose record does not tell counts as the others do."""
    store, known = services.samples(run.plan.spec.prefix), list[Usage | None]()
    for one in failed[-_READ:]:
        record = read_if_valid(store, keys.failure(one.key), FailureRecord)
        if record and record.usage:
            is_left_out = not with_probes and record.message is not None and record.message.certify
            known.append(None if is_left_out else record.usage)
    counted = [usage for usage in known if usage]
    each = len(failed) / len(known) if known else 0.0
    return Failures(
        each * len(counted),
        each * sum(usage.billed_seconds for usage in counted),
        each * sum(usage.objects for usage in counted),
    )


def run_costs(services: Services, run: Run, terms: Terms, seen: Observation, seconds: float) -> RunCosts:
    """What a run took, beside what was estimated for it.

    Args:
        services: the bucket, with the records of what failed.
        run: the run.
        terms: by what its price was estimated.
        seen: what the last look showed.
        seconds: how long it took.
    """
    since = run.guard.since
    spent = spent_with_failures(services, run, terms, seen, since).total
    forecasts = {name: Forecast(one.samples, one.gb_seconds, one.usd) for name, one in run.forecasts.items()}
    # What certified had been spent before anything was estimated.
    planned = spent_with_failures(services, run, terms, seen, since, with_probes=False)
    return RunCosts(
        prices=str(terms.prices),
        usd=spent.usd,
        gb_seconds=spent.gb_seconds,
        forecast_usd=Range.of(run.forecast_usd) if run.forecast_usd else None,
        seconds=seconds,
        forecast_seconds=Range.of(run.forecast_seconds) if run.forecast_seconds else None,
        generators=generator_costs(forecasts, planned),
    )
