"""``python -m flows``: makes a dataset and prints its report.

Where nothing is missing that is seen without Prefect; else ``generate-dataset`` runs in this process.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console

from tasks.account import connect
from vbvrdatafactory.cli.completeness import tally_table
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.cli.failures import explain_expected
from vbvrdatafactory.cli.redefining import agree
from vbvrdatafactory.cli.spec_options import (
    BatchSizeOption,
    code,
    distinct,
    legacy_seeds,
    on_mismatch,
    prefix,
    replace_spec,
)
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.defaults import DEFAULT_BATCH_SIZE, DEFAULT_SAMPLES, DEFAULT_SEED
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.driver import choosing
from vbvrdatafactory.driver.complete import already_complete
from vbvrdatafactory.driver.reports import copy_report
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.driver.specs import spec_changes
from vbvrdatafactory.planning.plan import DatasetSpec, Plan
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.run_figures import RunFigures

PIPE_WIDTH = 160


class Within(NamedTuple):
    """Checks a number of the command line; a range of click's own lets NaN pass.

    The limits are those of the form, which can't be asked here: it loads Prefect. A test keeps the two alike.
    """

    least: float
    most: float

    def __call__(self, _: click.Context, __: click.Parameter, value: float | None) -> float | None:
        if value is None or self.least <= value <= self.most:
            return value
        raise click.BadParameter(f"{value} is not between {self.least:g} and {self.most:g}")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--dataset", default="dataset", show_default=True)
@click.option("-g", "--generator", "generators", multiple=True, default=["all"], show_default=True)
@click.option(
    "-n", "--samples", default=DEFAULT_SAMPLES, show_default=True, help="Samples of each generator."
)
@click.option(
    "-b",
    "--batch-size",
    type=BatchSizeOption(),
    default=DEFAULT_BATCH_SIZE,
    show_default=True,
    help="Samples of one message; auto chooses for each generator, by its certificate.",
)
@click.option("-s", "--seed", default=DEFAULT_SEED, show_default=True)
@legacy_seeds
@replace_spec
@on_mismatch
@code
@distinct
@prefix
@click.option("--output-format", type=click.Choice(["files", "tar"]), default="files", show_default=True)
@click.option("--require", multiple=True, help="A file every sample must have besides the contract's two.")
@click.option("--poll-seconds", default=1.0, show_default=True, callback=Within(0.01, 3600))
@click.option("--stall-minutes", default=5.0, show_default=True, callback=Within(0.01, 7 * 24 * 60))
@click.option("--max-rounds", default=4, show_default=True, callback=Within(1, 100))
@click.option(
    "--max-failures", type=int, callback=Within(0, 10**9), help="Failed batches that the run may have."
)
@click.option(
    "--max-failure-percent",
    default=50,
    show_default=True,
    callback=Within(0, 100),
    help="Of the finished batches.",
)
@click.option(
    "--max-cost-usd",
    type=float,
    callback=Within(0, 10**9),
    help="End the run when it has spent so much, by list prices.",
)
@click.option(
    "--require-approval", is_flag=True, help="Send nothing but probes until 'datafactory approve' says so."
)
@click.option("--if-busy", type=click.Choice(["wait", "refuse"]), default="wait", show_default=True)
@click.option("--report-folder", type=click.Path(path_type=Path), help="Also write the report here.")
def main(report_folder: Path | None, *, replace_spec: bool, **parameters: object) -> None:
    """Make the bucket hold exactly the dataset asked for; the last line is RESULT, for scripts."""
    wanted = {name: list(value) if isinstance(value, tuple) else value for name, value in parameters.items()}
    with in_one_line():
        plan, services = plan_of(wanted), connect()
        changes = spec_changes(services, plan.spec)
        wanted["replace_spec"] = agree(plan.spec.dataset, changes, replace=replace_spec)
        report, remark = look_first(services, plan), ", of the run that made it"
        if report is None:
            from flows.running import run_flow  # noqa: PLC0415 - it loads Prefect, which takes seconds

            report, remark = run_flow(wanted), ""
        # One that found nothing to do filed no report: the bucket's latest is of the run before, whoever ran it.
        page = report_folder and copy_report(services.bucket, report.dataset, report_folder)
        show(report, f"{page}{remark}" if page else None)
    sys.exit(0 if report.complete else 1)


@contextmanager
def in_one_line() -> Iterator[None]:
    """End with one line about what went wrong, as the ``datafactory`` command does; what nobody foresaw is raised."""
    try:
        yield
    except click.ClickException:
        raise
    except Exception as error:
        if told := explain_expected(error, App()):
            raise click.ClickException(for_terminal(told)) from error
        raise


def plan_of(wanted: dict[str, Any]) -> Plan:
    """What is wanted, worked out.

    Raises:
        DataFactoryError: it can't be planned, or an address is not set.
    """
    spec = {name: value for name, value in wanted.items() if name in DatasetSpec.model_fields}
    chosen = choosing.choose(config, wanted["generators"])
    _ = config.sqs_queue_url, config.sqs_dlq_url, config.output_bucket
    return choosing.plan(config, chosen, spec)


def look_first(services: Services, plan: Plan) -> Report | None:
    """The report of a dataset that needs no run, with how long it took to see that; None where it needs one."""
    started = time.monotonic()
    found = already_complete(services, plan)
    return found and found.with_run(RunFigures(seconds=time.monotonic() - started), [])


def show(report: Report, page: str | None) -> None:
    """Print the table, where things lie and the RESULT line."""
    console = Console(markup=False, highlight=False, emoji=False)
    # A pipe has no width: names are not to be cut to fit one.
    console.width = console.width if console.is_terminal else PIPE_WIDTH
    console.print(tally_table(report))
    for failure in report.failures:
        line = f"{failure.generator}: {failure.cause}, {failure.count} failed attempts; {failure.detail}"
        click.echo(for_terminal(line))
    click.echo(report.run_line)
    of_run = report.run.remarks if report.run else ()
    for remark in (*of_run, *report.content_notes, *report.repeats, *report.notes_on_samples):
        click.echo(for_terminal(remark))
    click.echo(f"Samples: {report.place(os.environ.get('DATAFACTORY_BUCKET_FOLDER'))}")
    if page:
        click.echo(f"Report:  {page}")
    click.echo(report.result_line)


if __name__ == "__main__":
    main()
