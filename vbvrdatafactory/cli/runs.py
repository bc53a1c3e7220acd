"""`datafactory runs`: lists the runs of a dataset."""

import json
from typing import TYPE_CHECKING, Any

import click

from vbvrdatafactory.cli.context import App

if TYPE_CHECKING:
    from vbvrdatafactory.driver.runs import FiledRun

_EPILOG = """
\b
Examples:
  datafactory runs my-dataset
  datafactory runs my-dataset --json | jq '.[0].report'
"""
_COLUMNS = ("ended", "took", "asked", "whole", "messages", "ended as", "report")


@click.command(epilog=_EPILOG)
@click.argument("dataset")
@click.option(
    "-n", "--most", type=click.IntRange(min=1), default=20, show_default=True, help="Show at most so many."
)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
@click.option("--bucket", metavar="NAME", help="List this bucket instead of OUTPUT_BUCKET.")
@click.pass_context
def runs(ctx: click.Context, dataset: str, most: int, bucket: str | None, *, as_json: bool) -> None:
    """List the runs of DATASET, the latest first.

    Each run that ended has a report in the bucket; one that was killed has none. 'datafactory report' shows how complete
    the dataset is now.
    """
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.driver.runs import list_runs

    app = ctx.ensure_object(App)
    app.bucket = bucket
    found = list_runs(app.store(), dataset, most)
    if as_json:
        click.echo(json.dumps([_facts(run) for run in found], indent=1))
        return
    if not found:
        output.say(f"No run of {dataset!r} has left a report yet.")
        return
    output.show(output.table(_COLUMNS, [_row(_facts(run)) for run in found if run.report]))
    for run in found:
        if run.problem:
            output.note(run.problem)


def _facts(run: "FiledRun") -> dict[str, Any]:
    if run.report is None:
        return {"report": run.key, "problem": run.problem}
    total, done = run.report.total, run.report.run
    ended = "complete" if run.report.complete else "incomplete"
    return {
        "ended": run.report.at.isoformat(timespec="seconds"),
        "seconds": done.seconds if done else None,
        "asked": total.expected,
        "whole": total.whole,
        "messages": done.messages if done else None,
        "ended_as": f"{ended} ({done.early.reason})" if done and done.early else ended,
        "report": run.key,
    }


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    from vbvrdatafactory.core.humanize import format_duration

    counts = (f"{facts[name]:,}" for name in ("asked", "whole", "messages"))
    return facts["ended"], format_duration(facts["seconds"]), *counts, facts["ended_as"], facts["report"]
