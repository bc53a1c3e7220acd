"""The Lambda entry point: SQS events with partial batch responses, or a bare message invoked directly.

The environment and the clock of the invocation are read here and travel on as arguments. Clients are made
once for a warm worker. As many messages of an event are worked on at once as there are processors; a batch is
never cut, so its data is the same wherever it runs.
"""

import logging
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import psutil
from botocore.exceptions import BotoCoreError, ClientError
from obstore.store import ObjectStore
from pydantic import ValidationError

from lambda_worker import records
from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from lambda_worker.failure import BatchFailed, Cancelled
from lambda_worker.generator import namespaces, processes
from lambda_worker.generator.limits import Limits, lambda_memory_bytes
from lambda_worker.generator.sandbox import sweep
from vbvrdatafactory import aws
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.errors import ConfigError, NewerSchemaError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.models import Cause, FailureRecord, TaskMessage
from vbvrdatafactory.core.seeds import batch_seed

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = logging.getLogger("lambda_worker")
log.setLevel(logging.INFO)

Event = Mapping[str, Any]

# What the handler needs after the generator's deadline to store, record and answer.
_MARGIN_SECONDS = 3.0
# A message of a newer schema waits so long for a worker that knows it; every receive counts.
_NEWER_SECONDS = 900
# Lambda gives one processor for each 1769 MB.
_BYTES_PER_CORE = 1769 * 1024 * 1024


class Context(Protocol):
    """The part of Lambda's context object that is used."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


def handler(event: Event, context: Context) -> dict[str, Any]:
    """Process an SQS event, or one bare message.

    Returns:
        For SQS ``{"batchItemFailures": […]}``; for a bare message the fields of `TaskResult`.

    Raises:
        BatchFailed, ValidationError: a bare message that failed.
    """
    seconds = context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS
    if "Records" in event:
        records = event["Records"]
        with ThreadPoolExecutor(min(len(records), side_by_side()) or 1, thread_name_prefix="batch") as pool:
            done = pool.map(lambda record: deliver(record, seconds), records)
            failed = [
                record["messageId"] for record, is_done in zip(records, done, strict=True) if not is_done
            ]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
    message = TaskMessage.model_validate(event)
    delivery = Delivery(message, _seed(message, context.aws_request_id), 1, seconds)
    return worker().process(delivery).model_dump()


def deliver(
    record: Event, seconds: float, *, by: Worker | None = None, cancelled: threading.Event | None = None
) -> bool:
    """Process one SQS record within `seconds`, by the warm Lambda's worker where no other is given.

    Returns:
        True where the message may be deleted: its batch is done, or it is in the dead letter queue with its
        cause. False where it is to be delivered again; it was made visible again for that, at once if
        `cancelled` was set.
    """
    attempt = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
    try:
        message = _parse(record, attempt)
        seed = _seed(message, record["messageId"])
        delivery = Delivery(message, seed, attempt, seconds, cancelled or threading.Event())
        result = (by or worker()).process(delivery)
    except Cancelled:
        _show_again(record, 0)
        return False
    except NewerSchemaError as error:
        _warn_of(str(error))
        _show_again(record, _NEWER_SECONDS)
        return False
    except BatchFailed as failed:
        log.warning("attempt %d of message %s: %s", attempt, record["messageId"], for_terminal(str(failed)))
        return _dispose(record, failed, attempt)
    except Exception:
        # A fault of ours or of the network: the message must come back, and the log must say why.
        log.exception("attempt %d of message %s", attempt, record["messageId"])
        _show_again(record, _pause(attempt))
        return False
    log.info(
        "%s %s: %d samples in %.1f s", message.type, message.indices, result.samples_uploaded, result.seconds
    )
    return True


@cache
def _warn_of(newer: str) -> None:
    """Log once that messages are left to newer workers, not once for each message."""
    log.warning("%s; such messages are released for newer workers", for_terminal(newer))


def _dispose(record: Event, failed: BatchFailed, attempt: int) -> bool:
    """Whether the message is out of the way: what would fail again is given up at once, not paid for thrice."""
    if failed.cause.is_transient:
        _show_again(record, _pause(attempt))
        return False
    try:
        _sqs().send_message(
            QueueUrl=config.sqs_dlq_url,
            MessageBody=record["body"],
            MessageAttributes={
                "cause": {"DataType": "String", "StringValue": str(failed.cause)},
                "detail": {"DataType": "String", "StringValue": failed.detail[:1000] or "-"},
            },
        )
    except (ClientError, BotoCoreError, ConfigError):
        # Then SQS itself gives the message up after its last delivery: later, but with the same record.
        log.exception("message %s could not be moved to the dead letter queue", record["messageId"])
        _show_again(record, 1)
        return False
    return True


def _parse(record: Event, attempt: int) -> TaskMessage:
    try:
        return TaskMessage.model_validate_json(record["body"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        detail = f"{where or 'body'}: {first['msg']}"
        failure = FailureRecord(
            message=None,
            body=record["body"][:10_000],
            python_hash_seed=None,
            cause=Cause.INVALID_MESSAGE,
            detail=detail,
            attempt=attempt,
            failed_at=datetime.now(UTC),
        )
        records.write(_open_bucket(None), keys.unreadable(record["messageId"]), failure)
        raise BatchFailed(Cause.INVALID_MESSAGE, detail) from error


def _seed(message: TaskMessage, unique: str) -> int:
    """A message without a seed gets one of its own, the same at every attempt at it."""
    return batch_seed(0, unique, message.start_index) if message.seed is None else message.seed


def _pause(attempt: int) -> int:
    """Seconds until what may pass is tried again."""
    return 10 * int(3 ** min(attempt - 1, 3))


def _show_again(record: Event, seconds: int) -> None:
    """Let the message be delivered again after `seconds`, not after the whole visibility timeout."""
    try:
        _sqs().change_message_visibility(
            QueueUrl=config.sqs_queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds
        )
    except (ClientError, BotoCoreError):
        # It then comes back when its visibility timeout ends: later, but it comes.
        log.exception("the visibility of message %s could not be changed", record["messageId"])


def side_by_side() -> int:
    """How many batches this worker makes at once: one for each processor that it is given."""
    memory = lambda_memory_bytes()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, round(memory / _BYTES_PER_CORE))) if memory else cores


def make_worker(batches: int) -> Worker:
    """A worker whose limits are a share of this host for each of `batches` at once.

    What a worker that died left here before is removed first.
    """
    processes.prepare()
    sweep()
    # Before the first batch waits for them.
    namespaces.are_allowed()
    memory = lambda_memory_bytes() or psutil.virtual_memory().total
    return Worker(config.generators_path, _open_bucket, Limits.of_host(memory, side_by_side=batches))


@cache
def worker() -> Worker:
    """The worker of a warm Lambda."""
    return make_worker(side_by_side())


@cache
def _open_bucket(name: str | None) -> ObjectStore:
    return aws.bucket(config, name)


@cache
def _sqs() -> "SQSClient":
    return aws.sqs(config)
