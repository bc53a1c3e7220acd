"""Runs ``generate-dataset`` in this process, with Prefect, and hands over its report.

With ``PREFECT_API_URL`` set the run is kept by that server, otherwise by one that lives as long as the run.
"""

import logging
import os
import signal
import sys
from typing import Any

import click

from flows.prefect_server import check_server, prepare_environment
from vbvrdatafactory.cli.steps import step
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.report.completeness import Report


def run_flow(parameters: dict[str, Any]) -> Report:
    """The report of a run with these parameters, complete or not.

    Raises:
        DataFactoryError: no Prefect server can be had, or the run ended without a report.
    """
    prepare_environment()
    with step("Loading Prefect"):
        from flows.generate_dataset import generate_dataset  # noqa: PLC0415 - it loads Prefect
    check_server()
    if "PREFECT_API_URL" not in os.environ:
        end_at_once_on_signals()
        start_server()
    state: Any = generate_dataset(**parameters, return_state=True)
    # What Prefect still has to say comes before the last line, which is for scripts.
    logging.getLogger("prefect").setLevel(logging.WARNING)
    return report_of(state)


def start_server() -> None:
    """Start the server that the run would start; so it is clear what takes long."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    with step("Starting a Prefect server for this run"), get_client(sync_client=True) as client:
        client.hello()


def end_at_once_on_signals() -> None:
    """Leave on Ctrl-C without a word to the server: the same Ctrl-C ends it, and waiting for it takes minutes."""

    def leave(number: int, frame: object) -> None:
        del frame
        # Prefect has loaded it if it started a server; loading it here would take seconds.
        if module := sys.modules.get("prefect.server.api.server"):
            for server in list(module.SubprocessASGIServer._instances.values()):  # noqa: SLF001 - it offers no list
                server.stop()
        click.echo("interrupted; run the same again and it goes on where it was", err=True)
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


def report_of(state: Any) -> Report:  # noqa: ANN401 - Prefect's state, of whatever the flow returned
    """The report of a run that has ended, complete or not.

    Raises:
        DataFactoryError: the run ended without one.
    """
    from flows.ending import DatasetIncomplete  # noqa: PLC0415 - it loads Prefect

    found = state.result(raise_on_failure=False)
    if isinstance(found, DatasetIncomplete):
        return found.report
    if isinstance(found, DataFactoryError):
        raise found
    if isinstance(found, BaseException):
        raise DataFactoryError(f"the run ended as {state.name}: {type(found).__name__}: {found}")
    if not isinstance(found, Report):
        raise DataFactoryError(f"the run ended as {state.name} without a report")
    return found
