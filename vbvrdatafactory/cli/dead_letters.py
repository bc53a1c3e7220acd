"""Prints the dead letters as a table."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from vbvrdatafactory.cli import output, queues
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.control.dead_letters import DeadLetterDiagnosis
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.driver import dead_letters
from vbvrdatafactory.sqs.dead_letters import DeadLetter

_COLUMNS = ("generator", "cause", "dead letters", "made since")
# Of further generators whose workers were lost only the count is shown.
_LOST_SHOWN = 10


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
    for line in _lost(app, found):
        output.say(for_terminal(line))
    output.say(f"{format_count(len(found), 'dead letter')} of {format_count(generators, 'generator')}.")


def _lost(app: App, found: Iterable[tuple[DeadLetter, DeadLetterDiagnosis]]) -> Iterator[str]:
    """What is known of the latest letter of each generator whose worker was lost, a line each."""
    latest = {}
    for letter, why in sorted(found, key=lambda one: one[0].sent_at_ms):
        if why.cause is Cause.WORKER_LOST and not why.made_since:
            latest[letter.generator] = letter, why
    for generator, (letter, why) in islice(sorted(latest.items()), _LOST_SHOWN):
        yield f"{generator}: {dead_letters.detail_of_letter(app.services, letter, why)}."
