"""Sends what a dataset lacks, as the flows do: under the dataset lock, probes first, held up by a pause."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from vbvrdatafactory.cli import output
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.driver.failures import describe_broken
from vbvrdatafactory.driver.guard import SendGuard, lock_dataset
from vbvrdatafactory.driver.loop import Loop
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.driver.steps import Steps
from vbvrdatafactory.driver.submit import Submitted, submit_gaps
from vbvrdatafactory.planning.gaps import Gap, Observation
from vbvrdatafactory.planning.plan import Plan


class Sent(NamedTuple):
    """What was sent, the samples that were held back as probes made nothing, and why other samples could not be sent."""

    messages: int
    held_back: int
    problems: tuple[str, ...]


class _Notes(logging.Handler):
    """Shows what the driver logs while a command runs as notes on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        output.note(record.getMessage())


def noting(services: Services) -> Services:
    """The same services, whose log is shown as notes."""
    log = logging.getLogger("datafactory.notes")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers = [_Notes()]
    return services.with_log(log)


class _CommandSteps(Steps):
    """Carries out the steps directly, and counts the messages that are sent."""

    def __init__(self, services: Services, advance: output.Advance) -> None:
        super().__init__(services)
        self._advance = advance

    def submit(self, run: Run, gaps: Sequence[Gap], step: str, proven: Collection[str]) -> list[Submitted]:
        del step
        return submit_gaps(
            self.services, run, gaps, proven, on_sent=lambda sent, unsent: self._advance(sent + unsent)
        )


@contextmanager
def locked(services: Services, dataset: str, policy: RunPolicy) -> Iterator[SendGuard]:
    """Hold the dataset's lock while the block lasts; a dataset that is busy or paused is refused or waited for.

    Raises:
        DataFactoryError: it is, and the policy says to refuse.
    """
    with lock_dataset(services, dataset, policy) as guard:
        state = guard.pause(services)
        if state and policy.if_busy == "refuse":
            raise DataFactoryError(f"{dataset!r} is {guard.describe(state)}, or wait with --if-busy wait")
        yield guard


def send(  # noqa: PLR0913 - what to send, for whom, and how
    services: Services,
    plan: Plan,
    policy: RunPolicy,
    guard: SendGuard,
    seen: Observation,
    *,
    total: int,
    output_bucket: str | None = None,
    probing: bool = True,
) -> Sent:
    """Send what is missing; of generators that are not proven probes first, and the rest as soon as they are.

    Raises:
        DataFactoryError: messages could not be sent, or waiting for the probes was of no use.
    """
    run = Run(plan, policy, guard, seen.gaps, output_bucket)
    with output.progress("sending", total) as advance:
        loop = Loop(_CommandSteps(services, advance), run)
        loop.find_certificates(seen)
        if not probing:
            loop.breaker.proven.update(plan.generators)
        _, held_back = loop.send(list(seen.gaps), "submit")
        if held_back:
            names = format_count(len(held_back), "generator")
            services.log.info("sent probes of %s; the rest waits for their outcome", names)
            held_back = loop.wait("submit", held_back, for_probes_alone=True)
    if loop.early:
        raise DataFactoryError(str(loop.early))
    for gap in held_back:
        services.log.info("%s", for_terminal(_why_held_back(services, run, gap)))
    return Sent(loop.messages, sum(gap.samples for gap in held_back), tuple(loop.problems.values()))


def _why_held_back(services: Services, run: Run, gap: Gap) -> str:
    summaries = Steps(services).summarize_failures(run, [gap.generator], Counter(), "submit")
    broken = describe_broken(services.samples(run.plan.spec.prefix), gap.generator, summaries[gap.generator])
    return f"{broken}; {gap.samples:,} samples of it were held back"
