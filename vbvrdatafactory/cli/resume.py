"""`datafactory resume`: the run of a dataset goes on."""

import click

from vbvrdatafactory.cli.context import App, pass_app


@click.command()
@click.argument("dataset")
@click.option("--workers", is_flag=True, help="Let the queue's Lambda take messages again as well.")
@pass_app
def resume(app: App, dataset: str, *, workers: bool) -> None:
    """Let the run of DATASET that was paused go on."""
    from vbvrdatafactory.cli.pausing import tell

    tell(app, dataset, paused=False, workers=workers)
