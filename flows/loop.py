"""The one loop: look at the bucket, send what is missing, wait, look again, until nothing is missing.

First run, resume, gap-fill and extension are this loop on another inventory. It ends when the dataset is
complete, when its rounds are used up, when the queue stalls, or when a generator makes no progress any more.
"""

import time
from dataclasses import dataclass, field

from prefect import unmapped
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger

from tasks.dataset import look_at_bucket, publish_report
from tasks.queue import Patience, file_dead_letters, queue_depth, submit_gap, wait_until_drained
from vbvrdatafactory.core.gaps import Gap, Gaps
from vbvrdatafactory.core.plan import Plan
from vbvrdatafactory.core.report import Report, RunFigures

# A generator that stays where it was for this many rounds is not asked again in this run.
FRUITLESS_ROUNDS = 2


@dataclass
class Standing:
    """What the rounds so far say about each generator."""

    fruitless: dict[str, int] = field(default_factory=dict)

    def worth_trying(self, gaps: Gaps) -> list[Gap]:
        """The gaps of generators that have not stood still too often."""
        return [gap for gap in gaps if self.fruitless.get(gap.generator, 0) < FRUITLESS_ROUNDS]

    def learn(self, tried: list[Gap], after: Gaps) -> None:
        """Count a fruitless round for each generator that lacks as much as before."""
        for gap in tried:
            stood_still = after.of(gap.generator).samples >= gap.samples
            self.fruitless[gap.generator] = self.fruitless.get(gap.generator, 0) + 1 if stood_still else 0


def make_complete(plan: Plan, patience: Patience, max_rounds: int) -> Report:
    """Make the bucket hold exactly what `plan` says, in at most `max_rounds` rounds, and report."""
    started, messages, rounds = time.monotonic(), 0, 0
    wait_for_earlier_messages(patience)
    seen = first = look_at_bucket(plan, 0)
    standing = Standing()
    while rounds < max_rounds and (tried := standing.worth_trying(seen.gaps)):
        rounds += 1
        sent = submit(plan, tried, rounds)
        messages += sent
        waited = wait_until_drained(sent, patience, rounds)
        file_dead_letters(plan.spec.dataset, rounds)
        seen = look_at_bucket(plan, rounds)
        standing.learn(tried, seen.gaps)
        if waited.stalled:
            break
    made = first.gaps.sample_count - seen.gaps.sample_count
    figures = RunFigures(messages=messages, rounds=rounds, samples=made, seconds=time.monotonic() - started)
    return publish_report(plan, seen, figures)


def wait_for_earlier_messages(patience: Patience) -> None:
    """Let what a run before this one left in the queue finish, instead of sending it a second time."""
    if queue_depth().total:
        get_run_logger().info("waiting for the messages of an earlier run")
        wait_until_drained(0, patience, 0)


def submit(plan: Plan, gaps: list[Gap], round_number: int) -> int:
    """Send what every generator lacks, one task run for each; returns how many messages were sent.

    A generator whose messages could not all be sent fails its task run; the next look shows what it lacks.
    """
    runs = submit_gap.map(unmapped(plan), gaps, unmapped(round_number))
    return sum(sent_by(run) for run in runs)


def sent_by(run: PrefectFuture[int]) -> int:
    """Messages that a submission sent, as far as it said so."""
    run.wait()
    return run.result() if run.state.is_completed() else 0
