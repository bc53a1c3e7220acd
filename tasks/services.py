"""The services that the tasks of a flow run use: the flow connects once, its tasks find them in the context.

They are never passed from task to task, because they hold locks and connections.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from prefect.logging import get_run_logger

from tasks.account import connect
from vbvrdatafactory.driver.services import Services

# Prefect's task runner copies the flow's context into the threads of its tasks.
_connected: ContextVar[Services] = ContextVar("services")


@contextmanager
def connected(found: Services | None = None) -> Iterator[None]:
    """Let every task in the block use one set of services: `found`, or those that the environment describes."""
    token = _connected.set(found or connect())
    try:
        yield
    finally:
        _connected.reset(token)


def services() -> Services:
    """The services of this flow run, logging to the flow or task run that asks.

    A task that is called outside of `connected` gets services of its own.
    """
    found = _connected.get(None) or connect()
    return found.with_log(get_run_logger())
