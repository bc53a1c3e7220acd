"""Downloads dead letters to a folder and sends them to a queue from there, with the predecessor's names.

``datafactory dlq`` shows why batches failed, and redrives without files.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from pydantic import ValidationError

from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config, config
from vbvrdatafactory.core.errors import NewerSchemaError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.parsing import parse_json
from vbvrdatafactory.sqs.dead_letters import DeadLetter, DeadLetters, to_json
from vbvrdatafactory.sqs.submitter import TaskSubmitter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Resubmitted(TypedDict):
    """How many messages were sent, were not accepted by SQS, and were found; and how many files hold no valid message."""

    total_successful: int
    total_failed: int
    total_messages: int
    skipped: int


class DLQManager:
    """One dead letter queue.

    Args:
        dlq_url: the dead letter queue; default ``SQS_DLQ_URL``.
        client: a boto3 SQS client; default one from `settings`.
        settings: where region and endpoint come from; default the environment.
        wait_seconds: ``WaitTimeSeconds`` of each receive; three in succession without a message end the reading.
    """

    def __init__(
        self,
        dlq_url: str | None = None,
        *,
        client: "SQSClient | None" = None,
        settings: Config | None = None,
        wait_seconds: int = 1,
    ) -> None:
        settings = settings or config
        self._client = client or aws.sqs(settings)
        self._dead_letters = DeadLetters(
            self._client, dlq_url or settings.sqs_dlq_url, wait_seconds=wait_seconds
        )

    def download_messages(
        self, output_dir: Path, *, delete_after: bool = False, max_messages: int | None = None
    ) -> int:
        """Write dead letters to `output_dir` as ``{message id}.json``; returns how many.

        Args:
            output_dir: created where it does not exist; files of the same name are overwritten.
            delete_after: delete each message once it is written.
            max_messages: at most so many; None for all.
        """
        output_dir.mkdir(parents=True, exist_ok=True)
        written = 0

        def is_wanted(_: DeadLetter) -> bool:
            return max_messages is None or written < max_messages

        def write(dead_letter: DeadLetter) -> None:
            nonlocal written
            (output_dir / f"{dead_letter.message_id}.json").write_text(to_json(dead_letter))
            written += 1

        if delete_after:
            return self._dead_letters.take(is_wanted, write)
        for dead_letter in self._dead_letters.read(at_most=max_messages):
            write(dead_letter)
        return written

    def resubmit_messages(self, dlq_dir: Path, target_queue_url: str) -> Resubmitted:
        """Send the messages of the files in `dlq_dir` to `target_queue_url`.

        The files may be those of `download_messages` or of the predecessor's class of this name. The files stay: a
        message that is sent twice is processed twice, with the same result.
        """
        found = [*_messages_in(dlq_dir)]
        messages = [message for message in found if message]
        done = TaskSubmitter(target_queue_url, client=self._client).submit(messages)
        return {
            "total_successful": done.sent,
            "total_failed": len(messages) - done.sent,
            "total_messages": len(messages),
            "skipped": len(found) - len(messages),
        }


def _messages_in(folder: Path) -> Iterator[TaskMessage | None]:
    """The message of each JSON file; None where a worker would refuse it."""
    for file in sorted(folder.glob("*.json")):
        try:
            body = parse_json(file.read_text())["body"]
            yield TaskMessage.model_validate_json(body if isinstance(body, str) else json.dumps(body))
        except (ValueError, KeyError, TypeError, ValidationError, NewerSchemaError):
            yield None
