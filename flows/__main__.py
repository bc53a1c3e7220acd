"""``python -m flows``: runs ``generate-dataset`` in this process and prints its report.

With ``PREFECT_API_URL`` set the run is kept by that server, otherwise by one that lives as long as the run.
"""

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click
from prefect.client.schemas.objects import State
from rich.console import Console

from flows.ending import DatasetIncomplete
from flows.generate_dataset import generate_dataset
from tasks.dataset import bring_report
from vbvrdatafactory.core.catalogue import list_generators
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.plan import DatasetSpec, choose_generators, make_spec
from vbvrdatafactory.core.report import Report

PIPE_WIDTH = 160


@click.command()
@click.option("--dataset", default="dataset", show_default=True)
@click.option("-g", "--generator", "generators", multiple=True, default=["all"], show_default=True)
@click.option("-n", "--samples", default=30, show_default=True, help="Samples of each generator.")
@click.option("-b", "--batch-size", default=10, show_default=True, help="Samples of one message.")
@click.option("-s", "--seed", default=42, show_default=True)
@click.option("--output-format", type=click.Choice(["files", "tar"]), default="files", show_default=True)
@click.option("--require", multiple=True, help="A file every sample must have besides the contract's two.")
@click.option("--poll-seconds", default=1.0, show_default=True)
@click.option("--stall-minutes", default=5.0, show_default=True)
@click.option("--max-rounds", default=4, show_default=True)
@click.option("--max-failures", type=int, help="Failed batches that the run may have.")
@click.option("--max-failure-percent", default=50, show_default=True, help="Of the finished batches.")
@click.option("--if-busy", type=click.Choice(["wait", "refuse"]), default="wait", show_default=True)
@click.option("--report-folder", type=click.Path(path_type=Path), help="Also write the report here.")
def main(report_folder: Path | None, **parameters: object) -> None:
    """Make the bucket hold exactly the dataset asked for; the last line is RESULT, for scripts."""
    wanted = {name: list(value) if isinstance(value, tuple) else value for name, value in parameters.items()}
    refuse_at_once(wanted)
    if "PREFECT_API_URL" not in os.environ:
        end_at_once_on_signals()
    state: State[Any] = generate_dataset(**wanted, return_state=True)
    # What Prefect still has to say comes before the last line, which is for scripts.
    logging.getLogger("prefect").setLevel(logging.WARNING)
    show(report_of(state), report_folder)


def refuse_at_once(wanted: dict[str, Any]) -> None:
    """What can't be planned is told in one line, before a server is started for it."""
    spec = {name: value for name, value in wanted.items() if name in DatasetSpec.model_fields}
    try:
        chosen = choose_generators(wanted["generators"], list_generators(config.generators_path))
        make_spec(**{**spec, "generators": chosen})
    except DataFactoryError as error:
        raise click.ClickException(str(error)) from error


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


def report_of(state: State[Any]) -> Report:
    """The report of a run, complete or not.

    Raises:
        ClickException: the run ended without one.
    """
    found = state.result(raise_on_failure=False)
    if isinstance(found, DatasetIncomplete):
        return found.report
    if isinstance(found, DataFactoryError):
        raise click.ClickException(str(found))
    if isinstance(found, BaseException):
        raise click.ClickException(f"the run ended as {state.name}: {type(found).__name__}: {found}")
    if not isinstance(found, Report):
        raise click.ClickException(f"the run ended as {state.name} without a report")
    return found


def show(report: Report, folder: Path | None) -> None:
    """Print the table, where things lie and the RESULT line; exit 1 when incomplete."""
    console = Console()
    # A pipe has no width: names are not to be cut to fit one.
    console.width = console.width if console.is_terminal else PIPE_WIDTH
    console.print(report.to_table())
    for failure in report.failures:
        click.echo(f"{failure.generator}: {failure.cause}, {failure.count} failed attempts; {failure.detail}")
    click.echo(report.run_line)
    for remark in report.run.remarks if report.run else ():
        click.echo(remark)
    click.echo(
        f"Samples: {os.environ.get('DATAFACTORY_BUCKET_FOLDER') or f's3://{report.bucket}'}/questions/"
    )
    if folder:
        click.echo(f"Report:  {bring_report(report.dataset, folder)}")
    click.echo(report.result_line)
    sys.exit(0 if report.complete else 1)


if __name__ == "__main__":
    main()
