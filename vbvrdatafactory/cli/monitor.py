"""`datafactory monitor`: how much is in the queues, how fast it moves, and when it will be done."""

import click

from vbvrdatafactory.cli.context import App, pass_app

_EPILOG = """
\b
Examples:
  datafactory monitor
  datafactory monitor --watch
  datafactory monitor --watch --interval 30 | tee queue.log
"""


@click.command(epilog=_EPILOG)
@click.option("-w", "--watch", is_flag=True, help="Go on looking until Ctrl-C.")
@click.option(
    "-i",
    "--interval",
    type=click.FloatRange(min=0.2),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Pause between two looks with --watch.",
)
@pass_app
def monitor(app: App, *, watch: bool, interval: float) -> None:
    """Show how many messages wait, are in flight, or were given up.

    With --watch also how fast the queue empties and when it will be empty. The counts of SQS are
    approximate; whether the dataset is complete, only 'datafactory report' says.
    """
    from vbvrdatafactory.cli.watching import Watching

    watching = Watching(app)
    if not watch:
        watching.once()
        return
    try:
        watching.run(interval)
    except KeyboardInterrupt:
        return
