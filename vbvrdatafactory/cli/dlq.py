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
