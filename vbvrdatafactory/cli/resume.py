"""`datafactory resume`: continues the runs of a dataset."""

import click

from vbvrdatafactory.cli.context import App, pass_app


@click.command()
@click.argument("dataset")
@click.option("--workers", is_flag=True, help="Enable the queue's event source mappings again as well.")
@pass_app
def resume(app: App, dataset: str, *, workers: bool) -> None:
    """Continue the paused runs of DATASET."""
    from vbvrdatafactory.cli.pausing import tell

    tell(app, dataset, paused=False, workers=workers)
