"""Responses of SQS in the shapes of boto3."""

from __future__ import annotations

import json
from collections.abc import Collection
from hashlib import md5
from typing import TYPE_CHECKING, Any

from vbvrdatafactory.testing.limits import RefusedError
from vbvrdatafactory.testing.queues import Message, Queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import type_defs as t

_REGION, _ACCOUNT = "us-east-2", "000000000000"

META: t.ResponseMetadataTypeDef = {
    "RequestId": "in-memory",
    "HTTPStatusCode": 200,
    "HTTPHeaders": {},
    "RetryAttempts": 0,
}


def url_of(name: str) -> str:
    """The URL of the queue `name`."""
    return f"https://sqs.{_REGION}.amazonaws.com/{_ACCOUNT}/{name}"


def arn_of(queue: Queue) -> str:
    """The queue's ARN; its name follows the last colon."""
    return f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:{queue.name}"


def failed(number: str, error: RefusedError, *, by_sender: bool) -> t.BatchResultErrorEntryTypeDef:
    """A failed entry of a batch."""
    return {"Id": number, "Code": error.code, "SenderFault": by_sender, "Message": error.why}


def attributes_of(queue: Queue, now: float) -> dict[str, str]:
    """The attributes of a queue."""
    found = {
        "ApproximateNumberOfMessages": sum(1 for _ in queue.waiting(now)),
        "ApproximateNumberOfMessagesNotVisible": sum(1 for _ in queue.in_flight(now)),
        "ApproximateNumberOfMessagesDelayed": sum(1 for _ in queue.delayed(now)),
        "DelaySeconds": int(queue.delay_seconds),
        "QueueArn": arn_of(queue),
        "VisibilityTimeout": int(queue.visibility_seconds),
    }
    if queue.dead_letters:
        policy = {
            "deadLetterTargetArn": arn_of(queue.dead_letters),
            "maxReceiveCount": queue.max_receives,
        }
        found["RedrivePolicy"] = json.dumps(policy)
    return {name: str(value) for name, value in found.items()}


def shown(message: Message, system: Collection[str], attributes: Collection[str]) -> t.MessageTypeDef:
    """The message as ReceiveMessage returns it, with the requested attributes, by name or ``All``."""
    facts = {
        "ApproximateReceiveCount": str(message.receives),
        "ApproximateFirstReceiveTimestamp": str(int(message.first_received_at * 1000)),
        "SentTimestamp": str(int(message.sent_at * 1000)),
    }
    raw: Any = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": digest(message),
        "Body": message.body,
    }
    if known := {name: value for name, value in facts.items() if {name, "All"} & {*system}}:
        raw["Attributes"] = known
    if said := {
        name: value for name, value in message.attributes.items() if {name, "All", ".*"} & {*attributes}
    }:
        raw["MessageAttributes"] = said
    made: t.MessageTypeDef = raw
    return made


def digest(message: Message) -> str:
    """The MD5 of the message's body, in hexadecimal."""
    return md5(message.body.encode(), usedforsecurity=False).hexdigest()
