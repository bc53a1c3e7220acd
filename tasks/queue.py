"""Tasks that send: what every generator lacks, or a few probes of it first."""

from collections.abc import Collection
from typing import NamedTuple

from prefect import task
from prefect.logging import get_run_logger

from tasks.connection import bucket, sqs
from tasks.run import Run
from vbvrdatafactory.control import circuit_breaker
from vbvrdatafactory.core.config import config
from vbvrdatafactory.driver.messages import messages_for
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.sqs.depth import Depth, depth
from vbvrdatafactory.sqs.submitter import TaskSubmitter

# Mapped submissions run side by side already; each needs few calls under way.
_THREADS_EACH = 4


class Sent(NamedTuple):
    """What a submission sent, and what it held back until the outcome of that is known."""

    messages: int = 0
    held_back: Gap | None = None


def queue_depth() -> Depth:
    """One look at the task queue."""
    return depth(sqs(), config.sqs_queue_url)


@task(task_run_name="{run.dataset}/{step}/submit/{gap.generator}", persist_result=False)
def submit_gap(run: Run, gap: Gap, step: str, proven: Collection[str]) -> Sent:
    """Send the messages that make exactly what one generator lacks; of one not proven, probes where they are many.

    Raises:
        LeaseLost: another run makes the dataset now.
        DataFactoryError: some could not be sent; the first is named, the next round sends them again.
    """
    del step  # it names the task run
    evidence = take_evidence(bucket(), [gap.generator])
    probes = None if gap.generator in proven else circuit_breaker.probes(evidence, gap.generator)
    messages, is_held = circuit_breaker.first_portion(
        messages_for(bucket(), run.plan, [gap], evidence), probes
    )
    rest = None
    if is_held:
        probing = list(messages)
        rest = gap.without(part for message in probing for part in message.wanted)
        messages = iter(probing)
    run.gate.wait_until_open()
    done = TaskSubmitter(config.sqs_queue_url, client=sqs(), threads=_THREADS_EACH).submit(messages)
    get_run_logger().info(
        "%s: %d samples missing, %d messages sent%s",
        gap.generator,
        gap.samples,
        done.sent,
        " as probes; the rest waits for what becomes of them" if rest else "",
    )
    done.raise_if_unsent()
    return Sent(done.sent, rest)
