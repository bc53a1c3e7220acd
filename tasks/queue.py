"""The task that sends: what a generator lacks, or a few probes of it first."""

from collections.abc import Collection

from prefect import task

from tasks.services import services
from vbvrdatafactory.core.errors import UnreadableRecordError
from vbvrdatafactory.driver import submit
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.submit import Submitted
from vbvrdatafactory.planning.gaps import Gap

# Mapped submissions run side by side already; each needs few calls under way.
_THREADS_EACH = 4


@task(task_run_name="{run.dataset}/{step}/submit/{gap.generator}", persist_result=False)
def submit_gap(run: Run, gap: Gap, step: str, proven: Collection[str]) -> Submitted:
    """Send the messages that make exactly what one generator lacks; of one not proven, probes where they are many.

    Raises:
        UnreadableRecordError: a record that decides what to send can't be read.

    It is not retried: what could not be sent is missing in the next observation, and is sent in the next round.
    """
    del step  # it names the task run
    here = services()
    done = submit.submit_gap(here, run, gap, proven, threads=_THREADS_EACH)
    if done.problem:
        raise UnreadableRecordError(done.problem)
    here.log.info(
        "%s: %d samples missing, %d messages sent%s",
        gap.generator,
        gap.samples,
        done.messages,
        " as probes; the rest waits for their outcome" if done.held_back else "",
    )
    return done
