"""`datafactory report`: how complete a dataset is."""

import json

import click

from vbvrdatafactory.cli.context import App

_EPILOG = """
Exit code: 0 if every sample of the dataset is whole, 1 if not (or if the bucket cannot be listed).

\b
Examples:
  datafactory report
  datafactory report my-dataset --json | jq .total
  datafactory report && datafactory download ./results
"""


@click.command(epilog=_EPILOG)
@click.argument("dataset", required=False)
@click.option("--json", "as_json", is_flag=True, help="The same figures as JSON, with the missing ranges.")
@click.option("--markdown", "as_markdown", is_flag=True, help="The same figures as Markdown.")
@click.option("--bucket", metavar="NAME", help="List this bucket instead of OUTPUT_BUCKET.")
@click.pass_context
def report(
    ctx: click.Context, dataset: str | None, bucket: str | None, *, as_json: bool, as_markdown: bool
) -> None:
    """Show how many samples of DATASET are whole, torn and missing.

    Lists the bucket now and changes nothing. DATASET may be omitted where the bucket has only one.
    """
    from vbvrdatafactory.cli.completeness import plan_of, report_on, show

    if as_json and as_markdown:
        raise click.UsageError("choose one of --json and --markdown")
    app = ctx.ensure_object(App)
    app.bucket = bucket
    seen = report_on(app, plan_of(app, dataset))
    if as_json:
        # In ASCII: what can steer a terminal is escaped in JSON's own way.
        click.echo(json.dumps(seen.model_dump(mode="json"), indent=1))
    elif as_markdown:
        click.echo(seen.to_markdown(), nl=False)
    else:
        show(seen)
    ctx.exit(0 if seen.complete else 1)
