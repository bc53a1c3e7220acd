"""``redrive-dead-letters``: moves dead letters back to the task queue, once the cause of their failure is mended."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.ending import told_in_one_line
from flows.form import Generators
from tasks.dead_letters import redrive
from tasks.services import connected


@flow(name="redrive-dead-letters", flow_run_name="redrive-dead-letters")
@told_in_one_line
def redrive_dead_letters(
    generators: Generators = [],  # noqa: B006 - the form shows the default; it is never changed
    dry_run: bool = False,  # noqa: FBT001, FBT002 - a tick box of the form
) -> State[Any]:
    """Move dead letters back to the task queue, all or some generators'.

    Letters that a run of a dataset has filed already are not in the queue any more: what they stand for is
    made by fill-gaps.

    Args:
        generators: Whose letters; every one if none is chosen. Typed, they may be globs such as O-*.
        dry_run: Only say how many there are, by generator and cause; they stay where they are.
    """
    with connected():
        done = redrive(generators, dry_run=dry_run)
    return Completed(message=str(done), data=done.tally.total())
