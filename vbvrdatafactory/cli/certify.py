"""`datafactory certify`: has a few samples of each generator made, and says what that proves."""

from typing import Any, Literal

import click

from vbvrdatafactory.cli.context import App, pass_app
from vbvrdatafactory.cli.spec_options import sending_options

_EPILOG = """
\b
Examples:
  datafactory certify -g all -n 10000 -b auto
  datafactory certify --dataset vbvr-v1           a dataset that was asked for before
"""


@click.command(epilog=_EPILOG)
@sending_options("a run makes the dataset")
@pass_app
def certify(  # noqa: PLR0913 - an option each
    app: App,
    /,
    patterns: tuple[str, ...],
    bucket: str | None,
    *,
    replace_spec: bool,
    if_busy: Literal["refuse", "wait"],
    poll_seconds: float,
    **asked: Any,  # noqa: ANN401 - the rest are the spec's own fields
) -> None:
    """Have a few batches of each generator made that has no certificate, and say what they prove.

    They are the dataset's first ones and are kept. What the rest takes 'datafactory plan' says then. Ends with 1 where
    a generator failed.
    """
    from vbvrdatafactory.cli import certifying

    app.bucket = bucket
    certifying.certify(app, patterns, asked, replace=replace_spec, if_busy=if_busy, poll_seconds=poll_seconds)
