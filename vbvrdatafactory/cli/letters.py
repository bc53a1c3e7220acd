"""Dead letters: why each was given up, and which go back."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from obstore.store import ObjectStore

from vbvrdatafactory.cli import output, queues
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.control.dead_letters import DeadLetterDiagnosis, diagnose_dead_letter
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.driver.reports import detail_of
from vbvrdatafactory.planning.selection import matches
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.sqs.dead_letters import DeadLetter, DeadLetters, RedriveResult


def open_queue(app: App) -> DeadLetters:
    """The dead letter queue, which is there."""
    queues.dead_letter_queue(app)
    return DeadLetters(app.sqs, app.config.sqs_dlq_url)


def tell_tally(app: App) -> None:
    """Print how many letters there are of each generator and cause."""
    letters = open_queue(app).read()
    if not letters:
        output.say("There are no dead letters.")
        return
    told = diagnose_all(app.store(), letters)
    tally = Counter((letter.generator, why.cause.value) for letter, why in told)
    made = Counter((letter.generator, why.cause.value) for letter, why in told if why.made_since)
    rows = [
        (*kind, f"{count:,}", f"{made[kind]:,}")
        for kind, count in sorted(tally.items(), key=lambda row: (-row[1], row[0]))
    ]
    output.show(output.table(("generator", "cause", "dead letters", "made since"), rows))
    generators = len({letter.generator for letter in letters})
    output.say(f"{plural(len(letters))} of {output.plural(generators, 'generator')}.")


def diagnose_all(
    store: ObjectStore, letters: Sequence[DeadLetter]
) -> list[tuple[DeadLetter, DeadLetterDiagnosis]]:
    """Each letter with why it was given up, as far as it and the records in the bucket tell."""
    types = {letter.message.type for letter in letters if letter.message}
    evidence = take_evidence(store, sorted(types))
    return [(letter, diagnose_dead_letter(letter.message, letter.cause, evidence)) for letter in letters]


def save_all(app: App, dest: Path) -> int:
    """Write every letter with its cause to `dest`; returns how many there are."""
    queue, store = open_queue(app), app.store()

    def explained(letters: list[DeadLetter]) -> list[DeadLetter]:
        with ThreadPoolExecutor(records.READ_THREADS, thread_name_prefix="read") as pool:
            return list(pool.map(lambda told: _with_cause(store, *told), diagnose_all(store, letters)))

    return len(queue.save(dest, explained))


def _with_cause(store: ObjectStore, letter: DeadLetter, why: DeadLetterDiagnosis) -> DeadLetter:
    detail = letter.detail or (detail_of(store, why.failed) if why.failed else "")
    return replace(letter, cause=why.cause.value, detail=detail)


def redrive_matching(app: App, patterns: Sequence[str]) -> RedriveResult:
    """Send letters of the generators that `patterns` match (none: of all) back."""
    queue_url = app.config.sqs_queue_url
    if queue_url == app.config.sqs_dlq_url:
        raise ConfigError(
            f"SQS_QUEUE_URL and SQS_DLQ_URL are one queue, {queue_url}; set them to the stack's two"
        )
    queues.task_queue(app)
    return open_queue(app).redrive(
        queue_url,
        lambda letter: not patterns or any(matches(pattern, letter.generator) for pattern in patterns),
    )


def plural(count: int) -> str:
    """``1 dead letter``, ``105 dead letters``."""
    return output.plural(count, "dead letter")
