"""`datafactory approve`: says what the runs of a dataset may spend."""

import math

import click

from vbvrdatafactory.cli.context import App, pass_app

_EPILOG = """
\b
Examples:
  datafactory plan --dataset vbvr-v1                    what it will cost
  datafactory approve vbvr-v1 --max-cost-usd 120
  datafactory approve vbvr-v1 --max-cost-usd 0          take it back
"""


def _amount(_: click.Context, __: click.Parameter, value: float) -> float:
    """The value; a range of click's own lets NaN pass."""
    if math.isnan(value):
        raise click.BadParameter("nan is no amount of money")
    return value


@click.command(epilog=_EPILOG)
@click.argument("dataset")
@click.option(
    "--max-cost-usd",
    type=click.FloatRange(0, 1e9),
    required=True,
    callback=_amount,
    metavar="USD",
    help="At most so much, by list prices, from now on.",
)
@pass_app
def approve(app: App, dataset: str, max_cost_usd: float) -> None:
    """Approve what runs of DATASET may spend that were started with require_approval.

    It takes the place of what was approved before. The approval is an object in the bucket, so it applies to runs on
    any machine; the next run goes on from where the last one ended.
    """
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.cli.pausing import me
    from vbvrdatafactory.driver import approving

    approval = approving.approve(app.store(), dataset, max_cost_usd, by=me())
    output.say(f"{dataset}: {approval}.")
