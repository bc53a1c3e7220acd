"""`datafactory plan`: says what a dataset takes, before anything is spent."""

from pathlib import Path
from typing import Any

import click

from vbvrdatafactory.cli.context import App, pass_app
from vbvrdatafactory.cli.spec_options import dataset_options

_EPILOG = """
\b
Examples:
  datafactory plan -g all -n 10000 -b auto        what it takes; nothing is sent or written
  datafactory plan --dataset vbvr-v1              what a dataset that was asked for still takes
  datafactory plan -g all -n 10000 --html plan.html
"""


@click.command(epilog=_EPILOG)
@dataset_options
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page to this file."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of tables.")
@pass_app
def plan(
    app: App,
    /,
    patterns: tuple[str, ...],
    bucket: str | None,
    html: Path | None,
    *,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - the rest are the spec's own fields
) -> None:
    """Say what a dataset takes: batch sizes, time, GB-seconds, requests and money, for each generator and in all.

    By the certificates of its generators and the list prices of the region (PRICES_FILE names others). Ends with 1 where
    something does not fit.
    """
    from vbvrdatafactory.cli import planning

    app.bucket = bucket
    planning.show(app, patterns, asked, html, as_json=as_json)
