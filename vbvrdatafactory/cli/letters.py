"""Dead letters: why each was given up, and which go back."""

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase

import click

from vbvrdatafactory.cli import output, queues
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.evidence import Evidence
from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.sqs.dead_letters import DeadLetter, DeadLetters

NO_RECORD = "no record"
MADE_SINCE = "made since"


def open_queue(app: App) -> DeadLetters:
    """The dead letter queue, which is there."""
    queues.dead_letter_queue(app)
    return DeadLetters(app.sqs, app.config.sqs_dlq_url)


def tell_tally(app: App) -> None:
    """Print how many letters there are of each generator and cause."""
    letters = open_queue(app).read()
    if not letters:
        click.echo("There are no dead letters.")
        return
    types = {letter.message.type for letter in letters if letter.message}
    evidence = take_evidence(app.store(), sorted(types))
    tally = Counter((letter.generator, cause_of(letter, evidence)) for letter in letters)
    rows = [(*kind, f"{count:,}") for kind, count in sorted(tally.items(), key=lambda row: (-row[1], row[0]))]
    output.show(output.table(("generator", "cause", "dead letters"), rows))
    generators = len({letter.generator for letter in letters})
    click.echo(f"{plural(len(letters))} of {output.plural(generators, 'generator')}.")


def cause_of(letter: DeadLetter, evidence: Evidence) -> str:
    """Why a letter's batch failed last, as far as its records in the bucket tell."""
    message = letter.message
    if message is None:
        return Cause.INVALID_MESSAGE.value
    run = (message.indices, message.salt)
    failed = [f.key.cause for f in evidence.failures(message.type) if (f.key.indices, f.key.salt) == run]
    if failed:
        return failed[-1].value
    made = {(made.key.indices, made.key.salt) for made in evidence.runs(message.type)}
    return MADE_SINCE if run in made else NO_RECORD


def redrive_matching(app: App, patterns: Sequence[str]) -> tuple[int, int]:
    """Send letters of the generators that `patterns` match (none: of all) back; returns (moved, kept)."""
    queue_url = app.config.sqs_queue_url
    if queue_url == app.config.sqs_dlq_url:
        raise ConfigError(
            f"SQS_QUEUE_URL and SQS_DLQ_URL are one queue, {queue_url}; set them to the stack's two"
        )
    queues.task_queue(app)
    kept = 0

    def wanted(letter: DeadLetter) -> bool:
        nonlocal kept
        matches = not patterns or any(p == "all" or fnmatchcase(letter.generator, p) for p in patterns)
        kept += not matches
        return matches

    moved = open_queue(app).redrive(queue_url, wanted)
    return moved, kept


def plural(count: int) -> str:
    """``1 dead letter``, ``105 dead letters``."""
    return output.plural(count, "dead letter")
