"""Tasks on the dead letter queue: this dataset's letters are explained and filed; on request letters go back."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache

from prefect import task
from prefect.logging import get_run_logger

from tasks.connection import bucket, sqs
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.evidence import Evidence
from vbvrdatafactory.core.letters import Redriven, cause_of, describe
from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.sqs.dead_letters import DeadLetter, DeadLetters, to_json
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
        cause = cause_of(letter.message, letter.cause, evidence_of(letter.generator))
        records.write_text(
            bucket(), keys.dead_letter(dataset, letter.message_id), to_json(replace(letter, cause=cause))
        )
        tally[letter.generator, cause] += 1

    if depth(sqs(), config.sqs_dlq_url).total:
        DeadLetters(sqs(), config.sqs_dlq_url).take(ours, file)
    if tally:
        get_run_logger().info("%s; filed in the bucket", describe(tally))
    return tally


@task(task_run_name="redrive", persist_result=False)
def redrive(patterns: Sequence[str], *, dry_run: bool) -> Redriven:
    """Move dead letters back to the task queue, and say how many of each generator and cause.

    Args:
        patterns: names of generators, globs or all.
        dry_run: count them and leave them where they are.
    """
    evidence_of, tally = _evidence_of(), Letters()

    def why(letter: DeadLetter) -> Cause:
        if letter.message is None:
            return Cause.INVALID_MESSAGE
        return cause_of(letter.message, letter.cause, evidence_of(letter.generator))

    def wanted(letter: DeadLetter) -> bool:
        matches = any(pattern == "all" or fnmatchcase(letter.generator, pattern) for pattern in patterns)
        if matches:
            tally[letter.generator, why(letter)] += 1
        return matches

    letters = DeadLetters(sqs(), config.sqs_dlq_url)
    if dry_run:
        for letter in letters.read():
            wanted(letter)
    else:
        letters.redrive(config.sqs_queue_url, wanted)
    if tally:
        get_run_logger().info("%s", describe(tally))
    return Redriven(tally, dry_run)


def _evidence_of() -> Callable[[str], Evidence]:
    """Receipts and failures of a generator, listed when they are first asked for."""
    return cache(lambda generator: take_evidence(bucket(), [generator]))
