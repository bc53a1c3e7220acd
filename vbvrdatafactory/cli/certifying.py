"""Certifies the generators of a dataset, and shows their certificates."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from vbvrdatafactory.cli import output
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.cli.redefining import agree
from vbvrdatafactory.cli.sending import noting
from vbvrdatafactory.cli.submission import plan as plan_of
from vbvrdatafactory.control.run_policy import PollPolicy, RunPolicy
from vbvrdatafactory.core.certificates import Certificate
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.humanize import format_bytes
from vbvrdatafactory.driver.certify_dataset import certify_dataset
from vbvrdatafactory.driver.steps import Steps
from vbvrdatafactory.planning.certifying import why_failed
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3 import specs

_COLUMNS = ("generator", "certified", "start", "a sample", "memory", "repeats", "distinct")


def certify(  # noqa: PLR0913 - an option each
    app: App,
    patterns: Sequence[str],
    asked: dict[str, Any],
    *,
    replace: bool,
    if_busy: Literal["refuse", "wait"],
    poll_seconds: float,
) -> None:
    """Certify, and print a row for each generator; ends the process with 1 where one failed."""
    store = app.store()
    planned = plan_of(app, patterns, asked) if patterns else Plan(specs.read_spec(store, asked["dataset"]))
    replace = agree(planned.spec.dataset, specs.compare_spec(store, planned.spec), replace=replace)
    policy = RunPolicy(PollPolicy(poll_seconds), if_busy=if_busy)
    done = certify_dataset(Steps(noting(app.services)), planned, policy, replace_spec=replace)
    show(planned, done.certificates)
    if done.early:
        raise DataFactoryError(str(done.early))
    if any(not one.passed for one in done.certificates.values()):
        sys.exit(1)


def show(plan: Plan, certificates: dict[str, Certificate]) -> None:
    """Print a row for each certificate, and its remarks."""
    ordered = [certificates[name] for name in plan.generators if name in certificates]
    output.show(output.table(_COLUMNS, [_cells(one) for one in ordered]))
    for line in _remarks(plan, ordered):
        output.say(line)
    passed = sum(one.passed for one in ordered)
    without = len(plan.generators) - len(ordered)
    output.say(
        f"{passed} of {len(plan.generators)} generators are certified; {len(ordered) - passed} failed"
        + (f", of {without} nothing is known: all of theirs was there, or none was made" if without else "")
        + "."
    )


def _remarks(plan: Plan, certificates: Iterable[Certificate]) -> Iterable[str]:
    for one in certificates:
        samples = plan.generators[one.generator].samples
        for remark in one.remarks(samples) if one.passed else [why_failed(one)]:
            yield f"{one.generator}: {remark}."


def _cells(one: Certificate) -> tuple[str, ...]:
    if not one.passed:
        return (one.generator, "no", *["-"] * 5)
    costs = one.costs
    repeats = {True: "yes", False: "no", None: "-"}[one.repeats]
    return (
        one.generator,
        "yes",
        f"{costs.seconds.start:.2f} s",
        f"{costs.seconds.each:.3f} s",
        f"{format_bytes(costs.memory_bytes.start)} + {format_bytes(costs.memory_bytes.each)} each",
        repeats,
        f"{one.distinct:,} of {one.known:,}" if one.known else "-",
    )
