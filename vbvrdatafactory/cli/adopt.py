"""`datafactory adopt`: takes over samples that nobody recorded."""

import click

from vbvrdatafactory.cli.context import App

_EPILOG = """
Exit code: 0 if all were adopted, 1 if some could not be read.

\b
Examples:
  datafactory adopt --dry-run
  datafactory adopt my-dataset
"""


@click.command(epilog=_EPILOG)
@click.argument("dataset", required=False)
@click.option("--prefix", default="", help="Without DATASET: what lies below these folders of the bucket.")
@click.option("--dry-run", is_flag=True, help="Count them; read and write nothing.")
@click.option("--bucket", metavar="NAME", help="Look at this bucket instead of OUTPUT_BUCKET.")
@click.pass_context
def adopt(ctx: click.Context, dataset: str | None, prefix: str, bucket: str | None, *, dry_run: bool) -> None:
    """Read the samples that nobody recorded, and file what each is: its objects, and the digest of its content.

    From then on they count as adopted: nobody knows how they were made, and whether they have changed since is seen in
    each listing. Where an older receipt has the same digest, how they were made is known, too. Samples with a receipt
    that still holds are not read. Without DATASET it is about all that the bucket holds.
    """
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.core.humanize import format_count
    from vbvrdatafactory.driver import adopt as driver
    from vbvrdatafactory.planning.plan import Plan
    from vbvrdatafactory.s3.specs import read_spec

    app = ctx.ensure_object(App)
    app.bucket = bucket
    app.store()
    with output.listing(f"bucket {app.bucket_name}") as on_listed:
        if dataset:
            plan = Plan(read_spec(app.store(), dataset))
        else:
            plan = driver.plan_of_bucket(app.services, prefix, on_listed)
        candidates = driver.find_candidates(app.services, plan, on_listed)
    rows = [(each.generator, f"{len(each.places):,}") for each in candidates]
    total = sum(len(each.places) for each in candidates)
    if not total:
        output.say("Every whole sample is recorded as it is: there is nothing to adopt.")
        return
    output.show(output.table(("generator", "not recorded"), rows, footer=("total", f"{total:,}")))
    if dry_run:
        output.say(f"Dry run: {format_count(total, 'sample')} would be read; nothing was written.")
        return
    with output.progress("reading", total) as on_read:
        done = driver.adopt(app.services.samples(plan.spec.prefix), candidates, on_read)
    for problem in done.problems:
        output.note(problem)
    known = f"; of {done.known:,} an older receipt says how they were made" if done.known else ""
    output.say(f"Adopted {format_count(done.samples, 'sample')}{known}. Next: datafactory verify")
    ctx.exit(1 if done.problems else 0)
