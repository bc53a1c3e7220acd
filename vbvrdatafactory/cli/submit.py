"""`datafactory submit`: describe a dataset and send what the bucket lacks of it."""

from typing import Any, Literal

import click

from vbvrdatafactory.cli.context import App, pass_app
from vbvrdatafactory.cli.spec_options import sending_options

_EPILOG = """
\b
Examples:
  datafactory submit -n 0                           list the generators
  datafactory submit -g all --dry-run               what 10,000 samples each would take
  datafactory submit -g 'O-*' -g G-3_maze -n 500    some generators, 500 samples each
  datafactory submit -g all -n 20000                later: makes exactly the difference
"""


@click.command(epilog=_EPILOG)
@sending_options("a run makes the dataset, or it is paused")
@click.option(
    "--probes/--no-probes",
    "probing",
    default=True,
    show_default=True,
    help="Try generators that are not proven with a few messages first.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be sent; send and write nothing.")
@pass_app
def submit(  # noqa: PLR0913 - an option each
    app: App,
    /,
    patterns: tuple[str, ...],
    bucket: str | None,
    *,
    dry_run: bool,
    replace_spec: bool,
    if_busy: Literal["refuse", "wait"],
    probing: bool,
    poll_seconds: float,
    **asked: Any,  # noqa: ANN401 - the rest are the spec's own fields
) -> None:
    """Describe a dataset and send what the bucket lacks of it.

    Looks at the bucket first: samples that are whole there are not made again, so the same command starts
    a dataset, resumes it, fills its gaps and extends it. A dataset that is whole takes no message.

    Generators whose latest batch did not succeed, or that have none, are tried with a few messages first; the rest
    of theirs goes when one of these has made something. While a flow run makes the dataset, or it is paused,
    nothing is sent.

    A dataset may grow under its name. One of another seed, or with less in it, is another dataset: you are asked,
    or it is refused.
    """
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.cli.submission import Submission, choose, plan
    from vbvrdatafactory.control.run_policy import PollPolicy, RunPolicy

    app.bucket = bucket
    if asked["samples"] == 0:
        for name in choose(app, patterns or ("all",)):
            output.say(name)
        return
    if not patterns:
        raise click.UsageError("choose generators with -g: a name, a glob such as 'O-*', or 'all'")
    policy = RunPolicy(PollPolicy(poll_seconds), if_busy=if_busy)
    submission = Submission(app, plan(app, patterns, asked), policy, probing=probing)
    if dry_run:
        submission.dry_run()
    else:
        submission.run(replace=replace_spec)
