"""`datafactory dlq`: lists, saves and redrives dead letters."""

from pathlib import Path

import click

from vbvrdatafactory.cli.context import App, pass_app


@click.group()
def dlq() -> None:
    """List dead letters with their causes, save them, or move them back.

    A dead letter is a message whose batch failed for good, or was received several times in vain. It says why samples
    may be missing. 'datafactory report' says which are, and 'datafactory submit' sends them again.
    """


@dlq.command("list")
@pass_app
def list_(app: App) -> None:
    """Count the dead letters by generator and cause.

    The cause is the one that the worker sent with the message or wrote to its failure record; 'worker-lost' where there
    is neither. 'made since' counts those whose batch has succeeded since.
    """
    from vbvrdatafactory.cli.dead_letters import show_counts

    show_counts(app)


@dlq.command()
@click.argument("dest", type=click.Path(file_okay=False, path_type=Path))
@pass_app
def save(app: App, dest: Path) -> None:
    """Write every dead letter to the folder DEST as JSON, with its cause; the queue keeps them."""
    from vbvrdatafactory.cli import output, queues
    from vbvrdatafactory.core.humanize import format_count
    from vbvrdatafactory.driver import dead_letters

    queues.dead_letter_queue(app)
    _ = app.bucket_name  # checks it
    saved = format_count(dead_letters.save(app.services, dest), "dead letter")
    output.say(f"Saved {saved} to {dest}; the queue keeps them.")


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
    from vbvrdatafactory.cli import output, queues
    from vbvrdatafactory.core.humanize import format_count
    from vbvrdatafactory.driver import dead_letters

    queues.dead_letter_queue(app)
    queues.task_queue(app)
    done = dead_letters.redrive(app.services, patterns)
    equal = f" ({done.equal:,} equal ones removed)" if done.equal else ""
    moved = format_count(done.tally.total(), "dead letter")
    output.say(f"Moved {moved} back to the task queue{equal}; {done.kept:,} stay.")
