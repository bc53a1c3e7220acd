"""Whether a dataset may be filed under its name: seen without Prefect, which takes seconds to load."""

from tasks.connection import bucket
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.spec_changes import SpecChange, refusal
from vbvrdatafactory.s3.specs import compare_spec


def spec_changes(plan: Plan) -> list[SpecChange]:
    """How the plan's dataset differs from the one that the bucket describes under its name."""
    return compare_spec(bucket(), plan.spec)


def check_name(plan: Plan, *, replace: bool) -> None:
    """Make sure, before anything is waited for, that the plan may be filed under its name.

    Raises:
        Redefined: the bucket describes another dataset under the name, and `replace` is not set.
    """
    changes = spec_changes(plan)
    if not replace and any(change.redefines for change in changes):
        raise refusal(plan.spec.dataset, changes)
