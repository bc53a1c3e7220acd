"""Prints the dead letters as a table."""

from collections import Counter

from vbvrdatafactory.cli import output, queues
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.driver import dead_letters

_COLUMNS = ("generator", "cause", "dead letters", "made since")


def show_counts(app: App) -> None:
    """Print how many dead letters there are of each generator and cause."""
    queues.dead_letter_queue(app)
    _ = app.bucket_name  # validates it: causes are read from its records
    found = dead_letters.diagnosed(app.services)
    if not found:
        output.say("There are no dead letters.")
        return
    counts = Counter((letter.generator, why.cause.value) for letter, why in found)
    made = Counter((letter.generator, why.cause.value) for letter, why in found if why.made_since)
    rows = [
        (*kind, f"{count:,}", f"{made[kind]:,}")
        for kind, count in sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    ]
    output.show(output.table(_COLUMNS, rows))
    generators = len({letter.generator for letter, _ in found})
    output.say(f"{format_count(len(found), 'dead letter')} of {format_count(generators, 'generator')}.")
