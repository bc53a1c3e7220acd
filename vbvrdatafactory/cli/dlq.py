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

    The cause is what the worker wrote when it failed. 'no record': it wrote nothing, because it was killed
    or never started. 'made since': another message has made the batch good.
    """
    from vbvrdatafactory.cli.letters import tell_tally

    tell_tally(app)


@dlq.command()
@click.argument("dest", type=click.Path(file_okay=False, path_type=Path))
@pass_app
def save(app: App, dest: Path) -> None:
    """Write every dead letter to the folder DEST as JSON; the queue keeps them."""
    from vbvrdatafactory.cli.letters import open_queue, plural

    written = open_queue(app).save(dest)
    click.echo(f"Saved {plural(len(written))} to {dest}; the queue keeps them.")


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

    \b
    Examples:
      datafactory dlq redrive
      datafactory dlq redrive -g 'O-*'
    """  # noqa: D301 - click's own mark for text that is not to be wrapped
    from vbvrdatafactory.cli.letters import plural, redrive_matching

    moved, kept = redrive_matching(app, patterns)
    click.echo(f"Moved {plural(moved)} back to the task queue; {kept:,} stay.")
