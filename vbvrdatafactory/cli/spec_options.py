"""Options that `datafactory submit` and ``python -m flows`` share."""

import click


def _seeds(ctx: click.Context, param: click.Parameter, value: bool) -> str:  # noqa: ARG001, FBT001 - click's
    return "legacy" if value else "hashed"


legacy_seeds = click.option(
    "--legacy-seeds",
    "seeds",
    is_flag=True,
    callback=_seeds,
    help="Batches get seed + their number, as the predecessor gave them; to reproduce its samples.",
)
