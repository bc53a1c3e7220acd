"""`datafactory dlq`: why batches were given up, and back to the queue with them."""

from pathlib import Path

import click

from vbvrdatafactory.cli.context import App, pass_app


@click.group()
def dlq() -> None:
    """See why batches were given up, keep them, or send them back.

    A dead letter is a message that was delivered several times and never done. It tells why something may
    be missing. What is missing, 'datafactory report' tells, and 'datafactory submit' sends it again.
    """


@dlq.command("list")
@pass_app
def list_(app: App) -> None:
    """Count the dead letters by generator and cause.

    The cause is what the worker said or wrote when it failed; 'worker-lost' where it could not any more.
    'made since' counts those whose batch another message has made good.
    """
    from vbvrdatafactory.cli.letters import tell_tally

    tell_tally(app)


@dlq.command()
@click.argument("dest", type=click.Path(file_okay=False, path_type=Path))
@pass_app
def save(app: App, dest: Path) -> None:
    """Write every dead letter to the folder DEST as JSON, with its cause; the queue keeps them."""
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.cli.letters import plural, save_all

    output.say(f"Saved {plural(save_all(app, dest))} to {dest}; the queue keeps them.")


@dlq.command()
@click.option(
    "-g",
    "--generator",
    "patterns",
    multiple=True,
    metavar="NAME",
    help="Only this generator's: a name or a glob such as 'O-*'. Repeatable.",
)
@pass_app
def redrive(app: App, patterns: tuple[str, ...]) -> None:
    """Move dead letters back to the task queue, all or some generators'.

    Of equal ones, which stand for one batch, one is sent and all are removed.

    \b
    Examples:
      datafactory dlq redrive
      datafactory dlq redrive -g 'O-*'
    """  # noqa: D301 - click's own mark for text that is not to be wrapped
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.cli.letters import plural, redrive_matching

    sent, equal, kept = redrive_matching(app, patterns)
    with_them = f" ({equal:,} equal ones removed)" if equal else ""
    output.say(f"Moved {plural(len(sent))} back to the task queue{with_them}; {kept:,} stay.")
