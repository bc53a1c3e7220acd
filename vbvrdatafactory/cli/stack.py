"""`datafactory stack`: the deployed stack, its addresses, and whether it is as a run needs it."""

from pathlib import Path

import click

from vbvrdatafactory.cli.context import App, pass_app
from vbvrdatafactory.core.defaults import STACK_NAME
from vbvrdatafactory.numbers import FiniteRange

_stack_option = click.option(
    "--stack", "name", default=STACK_NAME, show_default=True, metavar="NAME", help="The stack's name."
)


@click.group()
def stack() -> None:
    """See the deployed stack, and write its addresses to .env."""


@stack.command()
@_stack_option
@click.option(
    "--write",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(".env"),
    show_default=True,
    metavar="FILE",
    help="The file to write the addresses to; other lines in it stay.",
)
@pass_app
def outputs(app: App, name: str, write: Path) -> None:
    """Fetch the stack's outputs and write QueueUrl, DlqUrl and BucketName to .env."""
    from vbvrdatafactory.cli import output, stacks

    for variable, value in stacks.write_addresses(app, name, write).items():
        output.say(f"{variable}={value}")
    output.note(f"written to {write}")


@stack.command()
@_stack_option
@pass_app
def status(app: App, name: str) -> None:
    """Say whether stack, function, event source mapping and quotas are as a run needs them.

    Before a first deployment it says what the account allows, and the context that fits. The exit code is 1 where
    nothing would be made.
    """
    from vbvrdatafactory.cli import stacks

    if not stacks.tell_status(app, name):
        raise click.exceptions.Exit(1)


@stack.command()
@_stack_option
@click.option("--interval", type=FiniteRange(0.05, 300), default=5.0, show_default=True, help="Seconds.")
@pass_app
def watch(app: App, name: str, interval: float) -> None:
    """Show what CloudFormation does until the stack is settled; the exit code is 1 where that failed."""
    from vbvrdatafactory.cli import stacks

    if not stacks.watch(app, name, interval):
        raise click.exceptions.Exit(1)
