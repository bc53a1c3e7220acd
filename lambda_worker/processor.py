"""Processes received SQS messages: each batch is made and its message deleted, released, or moved to the dead letter
queue. The Lambda handler and `datafactory worker` are its two callers.
"""

import logging
import os
import platform
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
from pydantic import ValidationError

from lambda_worker import records
from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from lambda_worker.failure import BatchFailed, Cancelled, RunsElsewhere
from lambda_worker.generator import landlock, namespaces, processes
from lambda_worker.generator.limits import Limits, lambda_memory_bytes
from lambda_worker.generator.litter import temp_folders
from lambda_worker.generator.sandbox import sweep
from lambda_worker.renewal import Renewals
from vbvrdatafactory import aws
from vbvrdatafactory.control.backoff import delays
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import ConfigError, NewerSchemaError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.core.seeds import batch_seed
from vbvrdatafactory.core.usage import Host

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef
    from obstore.store import ObjectStore

log = logging.getLogger(__name__)

# One entry of a Lambda event's "Records".
Record = Mapping[str, Any]

# Lambda gives one processor for each 1769 MB.
_BYTES_PER_CORE = 1769 * 1024 * 1024
# Before a transient failure is tried again: seconds of the first and the longest delay.
_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 10, 270
# A message whose generator this worker can't run goes back for others, later each time, for about six hours.
_PASSED_ON = "passedOn"
_PASSES = 75
_PASS_SECONDS, _LONGEST_PASS_SECONDS = 15, 300
# A message of a newer schema waits so long for a worker that knows it; every receive counts.
_NEWER_SECONDS = 900
# As Lambda calls them.
_PROCESSORS = {"aarch64": "arm64", "AMD64": "x86_64"}
# Characters of why a message is none; a stranger may call a field what he likes.
_REASON = 500


class Outcome(NamedTuple):
    """What became of one delivery of a message.

    Args:
        delete: whether the message may be deleted: its batch is stored, or it is in the dead letter queue with its
            cause, or sent again. If not, it was released and will be received again.
        failure: why its batch was not stored, in one line; empty where it was.
        result: what was stored; None where the batch failed.
        message: the message, where it could be read.
        is_passed_on: whether the message was sent again for other workers, because this one can't run its generator.
        error: an unexpected error, with its traceback; None for every failure that has a cause.
    """

    delete: bool
    failure: str = ""
    result: TaskResult | None = None
    message: TaskMessage | None = None
    is_passed_on: bool = False
    error: BaseException | None = None


class MessageProcessor:
    """Processes messages with one worker.

    Args:
        worker: makes batches.
        config: the queues.
        renews: whether a message's visibility timeout is renewed while its batch runs; a caller may see to that itself.
    """

    def __init__(self, worker: Worker, config: Config, *, renews: bool = False) -> None:
        self.worker = worker
        self._config = config
        self._renews = renews

    @cached_property
    def _sqs(self) -> "SQSClient":
        """Made when it is first needed: a message whose batch is stored needs none."""
        return aws.sqs(self._config)

    def process(self, record: Record, seconds: float, cancelled: threading.Event | None = None) -> Outcome:
        """Make the batch in one SQS record.

        Args:
            record: as a Lambda event has it.
            seconds: what the batch may take.
            cancelled: when it is set, the batch ends at once and the message is released.
        """
        attempt = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
        try:
            message = self._parse(record, attempt)
            seed = seed_of(message, record["messageId"])
            delivery = Delivery(message, seed, attempt, seconds, cancelled or threading.Event())
            if attempt > 1:
                # The ones before may have been lost without a word.
                store = self.worker.open_bucket(message.output_bucket, message.output_prefix or "")
                records.record_start(store, delivery, records.WorkerName.of(os.environ))
            with self._renewed(record):
                result = self.worker.process(delivery)
            return Outcome(delete=True, result=result, message=message)
        except Cancelled:
            self._release(record, 0)
            return Outcome(delete=False, failure="it was cancelled")
        except NewerSchemaError as error:
            self._release(record, _NEWER_SECONDS)
            return Outcome(delete=False, failure=str(error))
        except RunsElsewhere as elsewhere:
            return self._leave_to_others(record, delivery, str(elsewhere))
        except BatchFailed as failed:
            return Outcome(self._dispose(record, failed, attempt), f"attempt {attempt}: {failed}")
        except Exception as error:  # noqa: BLE001 - a fault of ours or of the network: the message must come back
            self._release(record, _retry_seconds(attempt))
            return Outcome(
                delete=False, failure=f"attempt {attempt}: {type(error).__name__}: {error}", error=error
            )

    def _renewed(self, record: Record) -> AbstractContextManager[None]:
        if not self._renews:
            return nullcontext()
        renewals = Renewals(lambda: self._sqs, self._config.sqs_queue_url, _errors_of_sqs)
        return renewals.of(record["receiptHandle"])

    def _leave_to_others(self, record: Record, delivery: Delivery, why: str) -> Outcome:
        """Send the message again, as new, so that it costs no receive; or give it up where nobody took it for hours."""
        passes = _passes(record)
        detail = f"no worker can run {delivery.message.type!r}: {why}"
        if passes >= _PASSES:
            failed = BatchFailed(
                Cause.NO_ENVIRONMENT, f"{detail}; {passes} times it was left to other workers"
            )
            self.worker.record_failure(delivery, failed)
            return Outcome(self._dispose(record, failed, delivery.attempt), str(failed))
        attributes = _attributes(record)
        attributes[_PASSED_ON] = {"DataType": "Number", "StringValue": str(passes + 1)}
        try:
            self._sqs.send_message(
                QueueUrl=self._config.sqs_queue_url,
                MessageBody=record["body"],
                DelaySeconds=_pass_seconds(passes),
                MessageGroupId=delivery.message.group,
                MessageAttributes=attributes,
            )
        except _errors_of_sqs():
            log.exception("message %s could not be left to other workers", record["messageId"])
            self._release(record, _pass_seconds(passes))
            return Outcome(delete=False, failure=why)
        return Outcome(delete=True, failure=f"left to other workers: {why}", is_passed_on=True)

    def _dispose(self, record: Record, failed: BatchFailed, attempt: int) -> bool:
        """Whether the message is out of the way: a failure that would repeat is not paid for three times."""
        if failed.cause.is_transient:
            self._release(record, _retry_seconds(attempt))
            return False
        try:
            self._sqs.send_message(
                QueueUrl=self._config.sqs_dlq_url,
                MessageBody=record["body"],
                MessageAttributes={
                    "cause": {"DataType": "String", "StringValue": str(failed.cause)},
                    "detail": {
                        "DataType": "String",
                        "StringValue": for_terminal(failed.detail)[:1000] or "-",
                    },
                },
            )
        except _errors_of_sqs():
            # SQS itself moves the message after its last receive: later, but with the same record.
            log.exception("message %s could not be moved to the dead letter queue", record["messageId"])
            self._release(record, 1)
            return False
        return True

    def _parse(self, record: Record, attempt: int) -> TaskMessage:
        try:
            return TaskMessage.parse(record["body"])
        except ValueError as error:
            detail = _what_is_wrong(error)
            failure = FailureRecord(
                message=None,
                body=record["body"][:10_000],
                python_hash_seed=None,
                cause=Cause.INVALID_MESSAGE,
                detail=detail,
                attempt=attempt,
                failed_at=datetime.now(UTC),
            )
            records.write(self.worker.open_bucket(None, ""), keys.unreadable(record["messageId"]), failure)
            raise BatchFailed(Cause.INVALID_MESSAGE, detail) from error

    def _release(self, record: Record, seconds: int) -> None:
        """Let the message be received again after `seconds`, not after the whole visibility timeout."""
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._config.sqs_queue_url,
                ReceiptHandle=record["receiptHandle"],
                VisibilityTimeout=seconds,
            )
        except _errors_of_sqs():
            # It then comes back when its visibility timeout ends: later, but it comes.
            log.exception("the visibility timeout of message %s could not be set", record["messageId"])


def make_processor(config: Config, concurrency: int, *, renews: bool = False) -> MessageProcessor:
    """A processor whose worker's limits are a share of this host for each of `concurrency` batches at once.

    What a worker that died left in the temp folder is removed first.
    """
    prepare_host()
    temp_folders.are_ours = config.owns_temp_folder
    mine = lambda_memory_bytes()
    limits = Limits.of_host(mine or psutil.virtual_memory().total, side_by_side=concurrency)
    processor = _PROCESSORS.get(platform.machine(), platform.machine())
    host = Host(function_mb=(mine or 0) >> 20, processor=processor, side_by_side=concurrency)
    worker = Worker(config.generators_path, _Buckets(config), limits, host)
    return MessageProcessor(worker, config, renews=renews)


def prepare_host() -> None:
    """Make this process one that runs generators: it inherits their orphans, and removes what a dead worker left."""
    processes.prepare()
    sweep()
    # Before the first batch waits for them.
    namespaces.are_allowed()


class _Buckets:
    """The store of each bucket and prefix, made once; None stands for the default bucket."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._made: dict[tuple[str | None, str], ObjectStore] = {}

    def __call__(self, name: str | None, prefix: str) -> "ObjectStore":
        if (name, prefix) not in self._made:
            self._made[name, prefix] = aws.bucket(self._config, name, prefix=prefix)
        return self._made[name, prefix]


def _errors_of_sqs() -> tuple[type[Exception], ...]:
    """What a call to SQS may raise, an address that is not set included; imported when it has."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    return BotoCoreError, ClientError, ConfigError


def can_isolate() -> bool:
    """Whether this host keeps one generator from writing into another's folders: AWS Lambda's kernel does not."""
    return landlock.version() > 0


def concurrency(*, trusted: bool = False) -> int:
    """How many batches a Lambda makes at once: one for each processor that it is given.

    Where the host can't isolate them it is one, unless all generators are trusted: a hostile one could rewrite the
    samples of its neighbour.
    """
    if not (trusted or can_isolate()):
        return 1
    memory = lambda_memory_bytes()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, round(memory / _BYTES_PER_CORE))) if memory else cores


def seed_of(message: TaskMessage, unique: str) -> int:
    """A message's seed; one without a seed gets one of its own, the same at every attempt at it."""
    return batch_seed(0, unique, message.start_index) if message.seed is None else message.seed


def _what_is_wrong(error: ValueError) -> str:
    """What is wrong with a message, in one line: the first field that is, or that it is no JSON."""
    if not isinstance(error, ValidationError):
        return f"body: {error}"[:_REASON]
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where[:_REASON] or 'body'}: {first['msg']}"[: 2 * _REASON]


def _passes(record: Record) -> int:
    """How often a message was left to other workers already."""
    said = record.get("messageAttributes", {}).get(_PASSED_ON, {}).get("stringValue", "")
    return int(said) if said.isdigit() else 0


def _attributes(record: Record) -> dict[str, "MessageAttributeValueTypeDef"]:
    """A record's text attributes, as SendMessage takes them; a Lambda event spells them otherwise."""
    return {
        name: {"DataType": value["dataType"], "StringValue": value["stringValue"]}
        for name, value in record.get("messageAttributes", {}).items()
        if "stringValue" in value
    }


def _pass_seconds(passes: int) -> int:
    """Seconds until other workers see a message that was left to them `passes` times before.

    >>> [_pass_seconds(passes) for passes in (0, 1, 2, 9)]
    [15, 30, 60, 300]
    """
    return int(next(islice(delays(_PASS_SECONDS, _LONGEST_PASS_SECONDS, factor=2), passes, None)))


def _retry_seconds(attempt: int) -> int:
    """Seconds until a transient failure is tried again.

    >>> [_retry_seconds(attempt) for attempt in (1, 2, 3, 4, 9)]
    [10, 30, 90, 270, 270]
    """
    return int(next(islice(delays(_RETRY_SECONDS, _LONGEST_RETRY_SECONDS, factor=3), attempt - 1, None)))
