"""The Lambda entry point: SQS events with partial batch responses, or a bare message invoked directly.

The environment and the clock of the invocation are read here and travel on as arguments. Clients are made
once for a warm worker.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from obstore.store import ObjectStore
from pydantic import ValidationError

from lambda_worker.batch import Delivery, Worker, write_failure
from lambda_worker.failure import BatchFailed
from vbvrdatafactory import aws
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.models import Cause, FailureRecord, TaskMessage
from vbvrdatafactory.core.seeds import batch_seed

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = logging.getLogger("lambda_worker")
log.setLevel(logging.INFO)

Event = Mapping[str, Any]

# What the handler needs after the generator's deadline to store, record and answer.
_MARGIN_SECONDS = 3.0

# A failure that would repeat is over with at once; one that may pass is given time to.
_TRANSIENT = {Cause.UPLOAD, Cause.DISK, Cause.WORKER_LOST}


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
    if "Records" in event:
        failed = [record for record in event["Records"] if not _deliver(record, context)]
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}
    message = TaskMessage.model_validate(event)
    return _worker().process(_delivery(message, 1, context.aws_request_id, context)).model_dump()


def _deliver(record: Event, context: Context) -> bool:
    """Process one SQS record; False where it is to be delivered again."""
    attempt = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
    try:
        message = _parse(record, attempt)
        result = _worker().process(_delivery(message, attempt, record["messageId"], context))
    except BatchFailed as failed:
        log.warning("attempt %d of message %s: %s", attempt, record["messageId"], failed)
        _show_again(record, _pause(failed.cause, attempt))
        return False
    except Exception:
        # A fault of ours or of the network: the message must come back, and the log must say why.
        log.exception("attempt %d of message %s", attempt, record["messageId"])
        _show_again(record, _pause(Cause.WORKER_LOST, attempt))
        return False
    log.info(
        "%s %s: %d samples in %.1f s", message.type, message.indices, result.samples_uploaded, result.seconds
    )
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
            cause=Cause.INVALID_MESSAGE,
            detail=detail,
            attempt=attempt,
            failed_at=datetime.now(UTC),
        )
        write_failure(_open_bucket(None), keys.unreadable(record["messageId"]), failure)
        raise BatchFailed(Cause.INVALID_MESSAGE, detail) from error


def _pause(cause: Cause, attempt: int) -> int:
    return 10 * 3 ** min(attempt - 1, 3) if cause in _TRANSIENT else 1


def _show_again(record: Event, seconds: int) -> None:
    """Let the message be delivered again after `seconds`, not after the whole visibility timeout."""
    try:
        _sqs().change_message_visibility(
            QueueUrl=config.sqs_queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds
        )
    except (ClientError, BotoCoreError):
        # It then comes back when its visibility timeout ends: later, but it comes.
        log.exception("the visibility of message %s could not be changed", record["messageId"])


def _delivery(message: TaskMessage, attempt: int, unique: str, context: Context) -> Delivery:
    """A message without a seed gets one of its own, the same at every attempt at it."""
    seed = batch_seed(0, unique, message.start_index) if message.seed is None else message.seed
    seconds = context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS
    return Delivery(message, seed, attempt, seconds)


@cache
def _worker() -> Worker:
    return Worker(config.generators_path, _open_bucket)


@cache
def _open_bucket(name: str | None) -> ObjectStore:
    return aws.bucket(config, name)


@cache
def _sqs() -> "SQSClient":
    return aws.sqs(config)
