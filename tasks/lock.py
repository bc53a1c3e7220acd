"""The dataset lock of a flow run."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Crashed

from tasks.services import services
from vbvrdatafactory.control.dataset_lock import LockClaim
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.driver.guard import SendGuard, lock_dataset, new_claim

_LOST = "Its process is gone: it was interrupted or killed. The next run of the dataset went on from there."


@contextmanager
def locked(dataset: str, policy: RunPolicy) -> Iterator[SendGuard]:
    """Hold the dataset's lock in the name of this flow run, for as long as the block lasts.

    A retry of the flow run claims it again at once. A flow run that died with the lock is marked as crashed.

    Raises:
        DataFactoryError: another run holds it, and the policy says to refuse.
    """
    claim = new_claim(flow_run.id or "")
    with lock_dataset(services(), dataset, policy, claim, on_take_over=end_lost_run) as guard:
        yield guard


def end_lost_run(left: LockClaim) -> None:
    """Set the flow run that died with this claim to Crashed.

    One that was ended by Ctrl-C or a kill told the server nothing, and would stay Running in the history for good.
    """
    try:
        number = UUID(left.run)
    except ValueError:
        return  # it ran without Prefect
    try:
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(number)
            if str(run.id) != flow_run.id and run.state and not run.state.is_final():
                client.set_flow_run_state(run.id, Crashed(name="Lost", message=_LOST), force=True)
    except ObjectNotFound:
        return  # it ran on another server
    except HTTPError as error:
        get_run_logger().warning(
            "the flow run %s, which died, still counts as running: %s", for_terminal(left.run), error
        )
