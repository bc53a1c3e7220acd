"""`datafactory monitor`: the depth of the queues, how fast it changes, and when the task queue will be empty."""

import click

from vbvrdatafactory.cli.context import App, pass_app
from vbvrdatafactory.numbers import FiniteRange

_EPILOG = """
\b
Examples:
  datafactory monitor
  datafactory monitor --watch
  datafactory monitor --watch --interval 30 | tee queue.log
"""


@click.command(epilog=_EPILOG)
@click.option("-w", "--watch", is_flag=True, help="Poll until Ctrl-C.")
@click.option(
    "-i",
    "--interval",
    type=FiniteRange(0.2, 86_400),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two polls with --watch.",
)
@pass_app
def monitor(app: App, *, watch: bool, interval: float) -> None:
    """Show how many messages wait, are in flight, or are dead letters.

    With --watch also how fast the queue shrinks and when it will be empty. SQS counts are approximate; whether
    the dataset is complete, only 'datafactory report' says.
    """
    from vbvrdatafactory.cli.watching import Watching

    watching = Watching(app, interval)
    if not watch:
        watching.once()
        return
    try:
        watching.run()
    except KeyboardInterrupt:
        return
