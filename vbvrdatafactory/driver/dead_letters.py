"""Dead letters: why each message is in the dead letter queue; filing those of a dataset, and moving them back."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

from obstore.store import ObjectStore

from vbvrdatafactory.control.dead_letters import (
    DeadLetterDiagnosis,
    RedriveSummary,
    describe,
    describe_lost,
    diagnose_dead_letter,
)
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.records import StartedRecord
from vbvrdatafactory.driver.reports import detail_of
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.evidence import Evidence, StartedAttempt
from vbvrdatafactory.planning.selection import matches, means_all
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.sqs.dead_letters import DeadLetter, DeadLetters, group_by_body, to_json
from vbvrdatafactory.sqs.depth import depth

# (generator, cause) -> how many dead letters.
DeadLetterCounts = Counter[tuple[str, Cause]]


def dead_letter_queue(services: Services) -> DeadLetters:
    """The dead letter queue (``SQS_DLQ_URL``)."""
    # An emulator is one server: what a receive does not return is not there.
    wait_seconds = 0 if services.config.is_embedded else 1
    return DeadLetters(services.sqs, services.config.sqs_dlq_url, wait_seconds=wait_seconds)


def file_dead_letters(services: Services, dataset: str) -> DeadLetterCounts:
    """File this dataset's dead letters with their causes in the bucket, then delete them from the queue.

    Other datasets' stay.

    Returns:
        How many there were of each generator and cause.
    """
    counts: DeadLetterCounts = Counter()
    diagnose = diagnosis(services)

    def is_ours(letter: DeadLetter) -> bool:
        return letter.message is not None and letter.message.dataset == dataset

    def file(letter: DeadLetter) -> None:
        why = diagnose(letter)
        detail = letter.detail or (_known_of(letter, why) if _is_lost(why) else "")
        key = keys.dead_letter(dataset, letter.message_id)
        filed = replace(letter, cause=why.cause.value, detail=detail)
        records.write_text(services.bucket, key, to_json(filed))
        counts[letter.generator, why.cause] += 1

    if depth(services.sqs, services.config.sqs_dlq_url).total:
        dead_letter_queue(services).take(is_ours, file)
    if counts:
        services.log.info("%s; filed in the bucket", for_terminal(describe(counts)))
    return counts


def redrive(services: Services, patterns: Sequence[str] = (), *, dry_run: bool = False) -> RedriveSummary:
    """Move dead letters back to the task queue.

    Of letters with equal bodies, which stand for one batch, one is sent and all are deleted.

    Args:
        services: both queues, and the bucket with the records that tell causes.
        patterns: names of generators or globs; none or ``all`` for every one.
        dry_run: only count them.

    Raises:
        SpecError: ``all`` stands beside other patterns.
        ConfigError: both variables name one queue.
    """
    queue_url = services.config.sqs_queue_url
    if queue_url == services.config.sqs_dlq_url:
        raise ConfigError(
            f"SQS_QUEUE_URL and SQS_DLQ_URL are one queue, {queue_url}; set them to the stack's two"
        )
    every = not patterns or means_all(patterns)

    def is_wanted(letter: DeadLetter) -> bool:
        return every or any(matches(pattern, letter.generator) for pattern in patterns)

    letters = dead_letter_queue(services)
    if dry_run:
        found = letters.read()
        groups = group_by_body(filter(is_wanted, found))
        sent, equal = [alike[0] for alike in groups], sum(len(alike) - 1 for alike in groups)
        kept = len(found)
    else:
        sent, equal, kept = letters.redrive(queue_url, is_wanted)
    diagnose = diagnosis(services)
    counts = DeadLetterCounts((letter.generator, diagnose(letter).cause) for letter in sent)
    if counts:
        services.log.info("%s", for_terminal(describe(counts)))
    return RedriveSummary(counts, dry_run, equal, kept)


def diagnosed(services: Services) -> list[tuple[DeadLetter, DeadLetterDiagnosis]]:
    """Every dead letter with its cause; they stay in the queue."""
    letters = dead_letter_queue(services).read()
    diagnose = diagnosis(services, {letter.message.type for letter in letters if letter.message})
    return [(letter, diagnose(letter)) for letter in letters]


def save(services: Services, folder: Path) -> int:
    """Write every dead letter with its cause to `folder` as ``{message id}.json``; returns how many there are."""

    def explained(letters: list[DeadLetter]) -> list[DeadLetter]:
        diagnose = diagnosis(services, {letter.message.type for letter in letters if letter.message})
        with ThreadPoolExecutor(records.READ_THREADS, thread_name_prefix="read") as pool:
            return list(pool.map(lambda letter: _with_cause(services, letter, diagnose(letter)), letters))

    return len(dead_letter_queue(services).save(folder, explained))


def diagnosis(
    services: Services, generators: Iterable[str] = ()
) -> Callable[[DeadLetter], DeadLetterDiagnosis]:
    """Returns the function that finds a dead letter's cause: what the worker sent with it, else its batch's records.

    Records of `generators` are listed at once, those of others when the first of their letters comes.
    """
    known = set(generators)

    @cache
    def together(prefix: str) -> Evidence:
        return take_evidence(services.samples(prefix), sorted(known))

    @cache
    def evidence_of(prefix: str, generator: str) -> Evidence:
        return (
            together(prefix) if generator in known else take_evidence(services.samples(prefix), [generator])
        )

    def diagnose(letter: DeadLetter) -> DeadLetterDiagnosis:
        if letter.is_newer:
            return DeadLetterDiagnosis(Cause.NEWER_SCHEMA)
        message = letter.message
        evidence = evidence_of(message.output_prefix or "", message.type) if message else Evidence()
        return diagnose_dead_letter(letter.message, letter.cause, evidence)

    return diagnose


def detail_of_letter(services: Services, letter: DeadLetter, why: DeadLetterDiagnosis) -> str:
    """What is known of why a message became a dead letter: the worker's word, its record, or what a lost one left."""
    if letter.detail:
        return letter.detail
    store = services.samples((letter.message and letter.message.output_prefix) or "")
    if why.failed:
        return detail_of(store, why.failed)
    record = read_started(store, why.started) if why.started else None
    return _known_of(letter, why, record) if _is_lost(why) else ""


def read_started(store: ObjectStore, started: StartedAttempt) -> StartedRecord | None:
    """The record of an attempt that began; None where it can't be read."""
    return records.read_if_valid(store, keys.started(started.key), StartedRecord)


def describe_last_lost(store: ObjectStore, evidence: Evidence, generator: str) -> str:
    """What is known of the latest batch of a generator whose worker was lost."""
    started = evidence.last_lost(generator)
    return describe_lost(started, read_started(store, started) if started else None)


def _is_lost(why: DeadLetterDiagnosis) -> bool:
    return why.cause is Cause.WORKER_LOST and why.failed is None


def _known_of(letter: DeadLetter, why: DeadLetterDiagnosis, record: StartedRecord | None = None) -> str:
    return describe_lost(
        why.started,
        record,
        receives=letter.receive_count,
        sent=letter.sent,
        first_received=letter.first_received,
    )


def _with_cause(services: Services, letter: DeadLetter, why: DeadLetterDiagnosis) -> DeadLetter:
    return replace(letter, cause=why.cause.value, detail=detail_of_letter(services, letter, why))
