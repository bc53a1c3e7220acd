"""`datafactory approve`: says what the runs of a dataset may spend."""

import click

from vbvrdatafactory.cli.context import App, pass_app
from vbvrdatafactory.numbers import FiniteRange

_EPILOG = """
\b
Examples:
  datafactory plan --dataset vbvr-v1                    what it will cost
  datafactory approve vbvr-v1 --max-cost-usd 120
  datafactory approve vbvr-v1 --max-cost-usd 0          take it back
"""


@click.command(epilog=_EPILOG)
@click.argument("dataset")
@click.option(
    "--max-cost-usd",
    type=FiniteRange(0, 1e9),
    required=True,
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
