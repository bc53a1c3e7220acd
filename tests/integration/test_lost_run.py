"""What a real Prefect server says of a run that was interrupted."""

import uuid
from datetime import UTC, datetime

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.states import Completed, Running

from tasks.lock import end_lost_run
from vbvrdatafactory.control.dataset_lock import LockClaim
from vbvrdatafactory.driver.processes import this_process

pytestmark = pytest.mark.prefect


@flow
def made() -> None:
    """A flow whose runs are made here, in a state of ours."""


@pytest.fixture
def client(prefect_server: str) -> SyncPrefectClient:
    assert prefect_server
    with get_client(sync_client=True) as client:
        yield client


def left_by(run: str) -> LockClaim:
    return LockClaim(token="t", run=run, holder=this_process(), taken_at=datetime.now(UTC))


def test_a_run_that_died_is_said_to_have_crashed(client) -> None:
    """Whoever takes the dataset over from a run that was interrupted ends it in the history, and may do so twice."""
    run = client.create_flow_run(made, state=Running())
    for _ in range(2):
        end_lost_run(left_by(str(run.id)))
        state = client.read_flow_run(run.id).state
        assert (state.type.value, state.name) == ("CRASHED", "Lost")
    assert "interrupted or killed" in state.message


def test_a_run_that_has_ended_stays_as_it_ended(client) -> None:
    """What is final is not changed: a run may have ended and just not given the dataset back."""
    run = client.create_flow_run(made, state=Completed())
    end_lost_run(left_by(str(run.id)))
    assert client.read_flow_run(run.id).state.is_completed()


@pytest.mark.parametrize("run", [f"process-{7}", str(uuid.UUID(int=7))])
def test_a_run_that_this_server_does_not_know_is_nobodys_business(client, run: str) -> None:
    """A claim of a run without Prefect, or on another server, is taken over without a word."""
    assert client
    end_lost_run(left_by(run))
