"""`datafactory pause`: the run of a dataset sends nothing more until it is resumed."""

import click

from vbvrdatafactory.cli.context import App, pass_app

_EPILOG = """
\b
Examples:
  datafactory pause vbvr-v1 --reason "the budget of this month is used up"
  datafactory pause vbvr-v1 --workers
"""


@click.command(epilog=_EPILOG)
@click.argument("dataset")
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever reads the run's log.")
@click.option("--workers", is_flag=True, help="Let the queue's Lambda take no more messages either.")
@pass_app
def pause(app: App, dataset: str, reason: str, *, workers: bool) -> None:
    """Pause whatever run makes DATASET, now or later: nothing new is sent until 'datafactory resume'.

    What is in the queue goes on unless --workers is given; then only what is in flight ends. The pause is a
    file in the bucket, so it holds for every run of the dataset, wherever it is.
    """
    from vbvrdatafactory.cli.pausing import tell

    tell(app, dataset, paused=True, reason=reason, workers=workers)
