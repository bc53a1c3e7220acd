"""A look at the bucket as a report, and the report on a terminal."""

from obstore.store import ObjectStore

from vbvrdatafactory.cli import output
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.plan import DatasetSpec, Plan
from vbvrdatafactory.core.report import Report
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.work import look, report

_FAILURE_COLUMNS = ("generator", "cause", "failed attempts", "the latest said")


def look_at(app: App, dataset: str | None) -> Report:
    """The completeness of `dataset` (default: the only one described) as the bucket shows it now."""
    store, name = app.store(), app.bucket_name
    with output.looking(f"bucket {name}") as on_listed:
        plan = Plan(_spec(store, name, dataset))
        return report(store, plan, look(store, plan, on_listed), name)


def show(report: Report) -> None:
    """The tally, why something is missing, and the answer in the last line."""
    figures = report.to_table()
    figures.title = None
    output.show(output.plain(figures))
    if report.failures:
        rows = [(f.generator, f.cause.value, f"{f.count:,}", f.detail) for f in report.failures]
        output.show(output.table(_FAILURE_COLUMNS, rows))
    for line in (*report.origin_notes, *report.repeats, *report.foreign):
        output.say(line)
    output.say(report.headline)


def _spec(store: ObjectStore, bucket: str, dataset: str | None) -> DatasetSpec:
    if dataset:
        return records.read_spec(store, dataset)
    described = records.list_datasets(store)
    if not described:
        raise DataFactoryError(f"bucket {bucket!r} describes no dataset; 'datafactory submit' describes one")
    if len(described) > 1:
        raise DataFactoryError(
            f"bucket {bucket!r} describes several datasets; name one of {', '.join(described)}"
        )
    return records.read_spec(store, described[0])
