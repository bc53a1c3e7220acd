"""`datafactory verify`: whether every sample of a dataset is what a receipt recorded, and what was asked for."""

import json

import click

from vbvrdatafactory.cli.context import App
from vbvrdatafactory.numbers import FiniteRange

_EPILOG = """
Exit code: 0 if every sample is there and proven, 1 if not.

\b
Examples:
  datafactory verify
  datafactory verify my-dataset --deep --fraction 0.01
"""


@click.command(epilog=_EPILOG)
@click.argument("dataset", required=False)
@click.option("--deep", is_flag=True, help="Read the objects too, and compare the digests of their content.")
@click.option(
    "--fraction",
    type=FiniteRange(0, 1, min_open=True),
    metavar="F",
    help="With --deep: read only this share of the samples, chosen at random.",
)
@click.option("--seed", type=int, help="With --fraction: which ones [default: others each time].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the report, and what differs.")
@click.option("--bucket", metavar="NAME", help="Look at this bucket instead of OUTPUT_BUCKET.")
@click.pass_context
def verify(  # noqa: PLR0913 - click gives each option as an argument
    ctx: click.Context,
    dataset: str | None,
    fraction: float | None,
    seed: int | None,
    bucket: str | None,
    *,
    deep: bool,
    as_json: bool,
) -> None:
    """Prove that every sample of DATASET is there, is what a receipt recorded, and is what was asked for.

    Compares size and ETag of every object in a listing with the receipts: nothing is read but receipts that are new
    since the last look. Those are folded into the ledger, _datafactory/ledger/GENERATOR.parquet. DATASET may be
    omitted where the bucket has only one.
    """
    import secrets

    from vbvrdatafactory.cli import output
    from vbvrdatafactory.cli.completeness import plan_of, report_on, show
    from vbvrdatafactory.core.humanize import format_count
    from vbvrdatafactory.driver.verify import SampleChoice, compare

    if (fraction is not None or seed is not None) and not deep:
        raise click.UsageError("--fraction and --seed are about what --deep reads: add --deep")
    app = ctx.ensure_object(App)
    app.bucket = bucket
    plan = plan_of(app, dataset)
    choice = SampleChoice(plan, fraction or 1.0, secrets.randbits(32) if seed is None else seed)
    report = report_on(app, plan, save=True, on_found=choice.take if deep else None)
    with output.progress("reading", len(choice.chosen)) as on_read:
        different = [*compare(app.services.samples(plan.spec.prefix), choice.chosen, on_read)]
    proven = report.complete and not report.total.unproven and not different
    if as_json:
        found = {"read": len(choice.chosen), "different": [each._asdict() for each in different]}
        click.echo(
            json.dumps({"proven": proven, "report": report.model_dump(mode="json"), **found}, indent=1)
        )
    else:
        show(report)
        for each in different:
            output.say(f"different: {each}")
        if deep:
            output.say(
                f"Read {format_count(len(choice.chosen), 'sample')}; {len(different):,} differ from their records."
            )
    ctx.exit(0 if proven else 1)
