"""`datafactory pause`: pauses the runs of a dataset."""

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
@click.option("--reason", default="", metavar="TEXT", help="Why; shown in the run's log.")
@click.option("--workers", is_flag=True, help="Disable the queue's event source mappings too.")
@pass_app
def pause(app: App, dataset: str, reason: str, *, workers: bool) -> None:
    """Pause every run of DATASET, current and later ones: nothing is sent until 'datafactory resume'.

    Messages in the queue are still processed, unless --workers is given: then only those in flight are. The pause is an
    object in the bucket, so it applies to runs on any machine.
    """
    from vbvrdatafactory.cli.pausing import tell

    tell(app, dataset, paused=True, reason=reason, workers=workers)
