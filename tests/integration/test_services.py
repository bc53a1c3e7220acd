"""Tasks find the services of their flow run in its context."""

import logging

import pytest
from prefect import flow, task, unmapped

from tasks.services import connected, services
from tasks.steps import submitted
from vbvrdatafactory.core.config import config
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.driver.submit import Submitted
from vbvrdatafactory.testing import InMemoryAws

pytestmark = [pytest.mark.prefect]


def test_tasks_of_a_flow_share_its_services(cloud: InMemoryAws, prefect_server: str) -> None:
    """Mapped task runs in other threads use the very clients that the flow connected; after it there are none."""
    of_the_flow = Services(config)

    @task(persist_result=False)
    def clients(_: int) -> tuple[int, int]:
        here = services()
        return id(here.sqs), id(here.bucket)

    @flow
    def connects() -> list[tuple[int, int]]:
        with connected(of_the_flow):
            return clients.map([1, 2, 3]).result()

    assert set(connects()) == {(id(of_the_flow.sqs), id(of_the_flow.bucket))}


def test_a_log_line_goes_to_the_run_that_asks(cloud: InMemoryAws, run_log: logging.Logger) -> None:
    """The same clients with another log."""
    here = Services(config)
    with connected(here):
        assert services().log is run_log
        assert services().sqs is here.sqs


def test_a_submission_that_failed_sent_nothing_that_it_told_of(prefect_server: str) -> None:
    """Its messages show in the next observation; the others' counts stand."""

    @task(persist_result=False)
    def submit(count: int, step: str) -> Submitted:
        return Submitted(12 // count)

    @flow
    def submits() -> list[Submitted]:
        return [submitted(future) for future in submit.map([4, 0], unmapped("round-1"))]

    assert submits() == [Submitted(3), Submitted()]
