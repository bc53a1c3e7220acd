"""AWS in memory: a task queue, its dead letter queue and buckets, without a consumer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from obstore.store import MemoryStore

from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config, config
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.testing.clock import Clock
from vbvrdatafactory.testing.sqs import InMemorySqs

_BUCKET = "in-memory"


class InMemoryAws:
    """The AWS services that a factory uses.

    Attributes:
        clock: the clock of the queues; advance it with `Clock.advance`.
        sqs: the SQS client.
        queue_url, dlq_url: the queues.
        config: their addresses.
        environment: the same as environment variables, e.g. for ``CliRunner().invoke(cli, …, env=cloud.environment)``.

    Args:
        visibility_seconds: visibility timeout of the queues.
        max_receives: ``maxReceiveCount`` of the redrive policy.
    """

    def __init__(self, *, visibility_seconds: int = 900, max_receives: int = 3) -> None:
        self.clock = Clock()
        self.sqs = InMemorySqs(self.clock)
        self._buckets: dict[str, MemoryStore] = {}
        self.dlq_url = self.sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        dead = self.sqs.get_queue_attributes(QueueUrl=self.dlq_url, AttributeNames=["QueueArn"])
        policy = {
            "deadLetterTargetArn": dead["Attributes"]["QueueArn"],
            "maxReceiveCount": max_receives,
        }
        self.queue_url = self.sqs.create_queue(
            QueueName="tasks",
            Attributes={"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": json.dumps(policy)},
        )["QueueUrl"]
        self.environment = {
            "OUTPUT_BUCKET": _BUCKET,
            "SQS_DLQ_URL": self.dlq_url,
            "SQS_QUEUE_URL": self.queue_url,
        }
        self.config = Config(
            output_bucket=_BUCKET,
            sqs_dlq_url=self.dlq_url,
            sqs_queue_url=self.queue_url,
            # Overrides the shell's variables of another AWS.
            aws_credentials_block="",
            aws_endpoint_url="",
        )

    @property
    def store(self) -> MemoryStore:
        """The bucket that `config` names."""
        return self.bucket(_BUCKET)

    def bucket(self, name: str) -> MemoryStore:
        """The bucket of that name, or what lies below a prefix in it, such as ``bucket/train``; created on first use."""
        return self._buckets.setdefault(name, MemoryStore())

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3's clients have no common type
        """The client for ``sqs`` or ``lambda``.

        Raises:
            LookupError: there is no other service in memory.
        """
        if service == "sqs":
            return self.sqs
        if service == "lambda":
            return _NoFunctions()
        raise LookupError(f"there is no {service!r} in memory, only sqs and lambda; a bucket is bucket(name)")

    def messages(self) -> list[TaskMessage]:
        """Every message in the task queue, in the order of sends; none is received."""
        return [TaskMessage.model_validate_json(body) for body in self.sqs.bodies(self.queue_url)]


class _NoFunctions:
    """A Lambda client of an account without functions: only the test receives messages."""

    def get_paginator(self, operation: str) -> _NoFunctions:
        """Pages of `operation`; only event source mappings are listed."""
        if operation != "list_event_source_mappings":
            raise LookupError(f"{operation!r} is not in memory")
        return self

    def paginate(self, **_asked: str) -> Sequence[dict[str, list[Any]]]:
        """One empty page."""
        return [{"EventSourceMappings": []}]


@contextmanager
def in_memory_aws(*, visibility_seconds: int = 900, max_receives: int = 3) -> Iterator[InMemoryAws]:
    """Make `config` and every client of this process those of an `InMemoryAws` within the block.

    Nothing in the block reaches AWS. Commands read the environment: pass them `InMemoryAws.environment`.
    """
    cloud = InMemoryAws(visibility_seconds=visibility_seconds, max_receives=max_receives)
    with config.replaced_by(cloud.config), aws.replaced_by(cloud):
        yield cloud
