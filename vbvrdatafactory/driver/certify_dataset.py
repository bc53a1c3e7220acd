"""Certifies the generators of a dataset, and makes nothing else of it."""

from typing import NamedTuple

from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core.certificates import Certificate
from vbvrdatafactory.driver.loop import Loop, finish_earlier_messages
from vbvrdatafactory.driver.mismatch import refuse_mismatch
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.steps import Steps
from vbvrdatafactory.planning.gaps import Gaps
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.report.run_figures import EndedEarly
from vbvrdatafactory.s3.specs import check_spec


class CertifiedGenerators(NamedTuple):
    """What certifying the generators of a dataset gave.

    Args:
        certificates: those that are valid now, passed or failed, by generator.
        early: why it ended early; None where it did not.
    """

    certificates: dict[str, Certificate]
    early: EndedEarly | None


def certify_dataset(
    steps: Steps, plan: Plan, policy: RunPolicy, *, replace_spec: bool = False
) -> CertifiedGenerators:
    """Certify the generators of `plan` that have no certificate, and do nothing else.

    Args:
        steps: carries out each step.
        plan: the dataset's plan; its spec is filed.
        policy: what the run is allowed.
        replace_spec: file it even where the bucket describes another dataset under its name.

    Raises:
        DataFactoryError: another run makes the dataset, and the policy says to refuse.
        Redefined: the spec is of another dataset than the one described, and `replace_spec` is not set.
    """
    services = steps.services
    check_spec(services.bucket, plan.spec, replace=replace_spec)
    with steps.locked(plan.spec.dataset, policy) as guard:
        steps.file_spec(plan, replace=replace_spec)
        early = finish_earlier_messages(steps, Run(plan, policy, guard, Gaps(iter(()))))
        seen = steps.observe(plan, "start")
        early = early or refuse_mismatch(services.bucket, plan, seen)
        loop = Loop(steps, Run(plan, policy, guard, seen.gaps), early)
        loop.find_certificates(seen)
        if loop.goes_on:
            seen = loop.run_probes(list(seen.gaps), seen, "certify")
        certificates = steps.sharpen(loop.run, seen)
        return CertifiedGenerators(certificates, loop.early)
