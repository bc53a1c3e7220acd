"""Tasks on the dead letter queue: this dataset's letters are explained and filed; on request letters go back."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from prefect import task
from prefect.logging import get_run_logger

from tasks.connection import bucket, sqs
from vbvrdatafactory.control.dead_letters import RedriveSummary, describe, diagnose_dead_letter
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.selection import matches, means_all
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.sqs.dead_letters import DeadLetter, DeadLetters, group_by_body, to_json
from vbvrdatafactory.sqs.depth import depth

Letters = Counter[tuple[str, Cause]]


@task(task_run_name="{dataset}/{step}/file-dead-letters", persist_result=False)
def file_dead_letters(dataset: str, step: str) -> Letters:
    """File this dataset's dead letters with their causes, then remove them; other people's stay.

    Returns:
        How many there were of each generator and cause.
    """
    del step  # it names the task run
    tally: Letters = Counter()
    evidence_of = _evidence_of()

    def ours(letter: DeadLetter) -> bool:
        return letter.message is not None and letter.message.dataset == dataset

    def file(letter: DeadLetter) -> None:
        if letter.message is None:
            return
        cause = _cause_of(letter, evidence_of)
        records.write_text(
            bucket(), keys.dead_letter(dataset, letter.message_id), to_json(replace(letter, cause=cause))
        )
        tally[letter.generator, cause] += 1

    if depth(sqs(), config.sqs_dlq_url).total:
        DeadLetters(sqs(), config.sqs_dlq_url).take(ours, file)
    if tally:
        get_run_logger().info("%s; filed in the bucket", for_terminal(describe(tally)))
    return tally


@task(task_run_name="redrive", persist_result=False)
def redrive(patterns: Sequence[str], *, dry_run: bool) -> RedriveSummary:
    """Move dead letters back to the task queue, and say how many of each generator and cause.

    Args:
        patterns: names of generators or globs; none or ``all`` for every one.
        dry_run: count them and leave them where they are.

    Raises:
        SpecError: ``all`` stands beside others.
    """
    of_any = not patterns or means_all(patterns)
    evidence_of = _evidence_of()

    def wanted(letter: DeadLetter) -> bool:
        return of_any or any(matches(pattern, letter.generator) for pattern in patterns)

    letters = DeadLetters(sqs(), config.sqs_dlq_url)
    if dry_run:
        found = group_by_body(filter(wanted, letters.read()))
        sent, equal = [alike[0] for alike in found], sum(len(alike) - 1 for alike in found)
    else:
        sent, equal, _ = letters.redrive(config.sqs_queue_url, wanted)
    tally = Letters((letter.generator, _cause_of(letter, evidence_of)) for letter in sent)
    if tally:
        get_run_logger().info("%s", for_terminal(describe(tally)))
    return RedriveSummary(tally, dry_run, equal)


def _cause_of(letter: DeadLetter, evidence_of: Callable[[str], Evidence]) -> Cause:
    """Why a letter was given up; what is no message has no generator that anything could be on record of."""
    evidence = evidence_of(letter.message.type) if letter.message else Evidence()
    return diagnose_dead_letter(letter.message, letter.cause, evidence).cause


def _evidence_of() -> Callable[[str], Evidence]:
    """Receipts and failures of a generator, listed when they are first asked for."""
    return cache(lambda generator: take_evidence(bucket(), [generator]))
