"""Builds the report of a dataset and prints it."""

from obstore.store import ObjectStore
from rich.table import Table

from vbvrdatafactory.cli import output
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.driver.observe import OnFound, observe_plan
from vbvrdatafactory.driver.reports import build_report
from vbvrdatafactory.planning.plan import DatasetSpec, Plan
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.tallies import COLUMNS
from vbvrdatafactory.s3.specs import list_datasets, read_spec

_FAILURE_COLUMNS = ("generator", "cause", "failed attempts", "the latest said")


def plan_of(app: App, dataset: str | None) -> Plan:
    """The plan of `dataset` (default: the only one in the bucket)."""
    return Plan(_spec(app.store(), app.bucket_name, dataset))


def report_on(app: App, plan: Plan, *, save: bool = False, on_found: OnFound | None = None) -> Report:
    """The completeness of a dataset by a look now.

    With `save`, new receipts are folded into the ledger; `on_found` is called with what is found of each generator.
    """
    name = app.bucket_name
    with output.listing(f"bucket {name}") as on_listed:
        seen = observe_plan(app.services, plan, on_listed, save=save, on_found=on_found)
        return build_report(app.services.samples(plan.spec.prefix), plan, seen, name)


def show(report: Report) -> None:
    """Print the tallies, why samples are missing, and the headline in the last line."""
    figures = tally_table(report)
    figures.title = None
    output.show(output.plain(figures))
    if report.failures:
        rows = [(f.generator, f.cause.value, f"{f.count:,}", f.detail) for f in report.failures]
        output.show(output.table(_FAILURE_COLUMNS, rows))
    for line in (*report.content_notes, *report.repeats, *report.notes_on_samples, *report.foreign):
        output.say(line)
    output.say(report.headline)


def tally_table(report: Report) -> Table:
    """The tally of every generator and the total; print it on a console without markup."""
    table = Table(
        title=for_terminal(report.headline), title_justify="left", title_style="bold", show_footer=True
    )
    for name, footer in zip(COLUMNS, report.total.cells, strict=True):
        table.add_column(name, footer=footer, justify="left" if name == "generator" else "right")
    for tally in report.generators:
        table.add_row(*map(for_terminal, tally.cells), style=None if tally.is_complete else "red")
    return table


def _spec(store: ObjectStore, bucket: str, dataset: str | None) -> DatasetSpec:
    if dataset:
        return read_spec(store, dataset)
    described = list_datasets(store)
    if not described:
        raise DataFactoryError(f"bucket {bucket!r} describes no dataset; 'datafactory submit' describes one")
    if len(described) > 1:
        raise DataFactoryError(
            f"bucket {bucket!r} describes several datasets; name one of {', '.join(described)}"
        )
    return read_spec(store, described[0])
