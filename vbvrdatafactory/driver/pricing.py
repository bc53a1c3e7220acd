"""What making what a dataset lacks takes, as it is now: for whoever asks before a run."""

from vbvrdatafactory.driver.certificates import valid_certificates
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.driver.terms import find_terms, worker_limits
from vbvrdatafactory.planning.batch_sizes import sizes
from vbvrdatafactory.planning.certifying import why_failed
from vbvrdatafactory.planning.gaps import Observation
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.pricing import Certified, PlanPrice, price_plan
from vbvrdatafactory.planning.replan import replays


def price_missing(services: Services, plan: Plan, seen: Observation, *, strict: bool = True) -> PlanPrice:
    """What making what was not seen takes, by the certificates in the bucket; `strict` as `find_terms` has it.

    Raises:
        ConfigError: there are no prices of the region.
    """
    certificates = valid_certificates(services, plan, seen)
    passed = {name: one for name, one in certificates.items() if one.passed}
    failed = {name: why_failed(one) for name, one in certificates.items() if not one.passed}
    missing = {gap.generator: gap.ranges for gap in seen.gaps}
    again = {gap.generator: replays(plan, gap, seen.evidence) for gap in seen.gaps}
    return price_plan(plan, missing, Certified(passed, failed), find_terms(services, strict=strict), again)


def with_sizes(services: Services, plan: Plan, seen: Observation) -> Plan:
    """The plan with the batch sizes that are to be chosen, as far as certificates tell."""
    if not plan.automatic:
        return plan
    certificates = valid_certificates(services, plan, seen)
    missing = {gap.generator: gap.samples for gap in seen.gaps}
    return Plan(plan.spec, sizes(plan, missing, certificates, worker_limits(services)))
