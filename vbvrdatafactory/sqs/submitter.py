"""Sends messages to the task queue: SendMessageBatch calls in parallel, with the result of every entry.

SendMessageBatch accepts up to ten messages and 1 MiB, and may fail for single entries. Failed entries are sent
again with exponential backoff, unless SQS reports a sender fault. Messages that could not be sent are in the
result.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from pydantic import ValidationError

from vbvrdatafactory import aws
from vbvrdatafactory.control.backoff import delays
from vbvrdatafactory.core.config import Config, config
from vbvrdatafactory.core.errors import DataFactoryError, SpecError
from vbvrdatafactory.core.models import OutputFormat, TaskMessage
from vbvrdatafactory.core.seeds import Seeds
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.sqs.direct import DirectSender

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

log = logging.getLogger(__name__)

ENTRIES_PER_CALL = 10
BYTES_PER_CALL = 1024 * 1024
SUBMIT_THREADS = 32
TRIES = 5
_LONGEST_PAUSE = 20.0

OnBatchSent = Callable[[int, int], None]


class _Entry(NamedTuple):
    """A message and its JSON body, serialized once."""

    message: TaskMessage
    body: str


@dataclass(frozen=True)
class Unsent:
    """A message that SQS did not accept, and the last error."""

    message: TaskMessage
    reason: str


@dataclass
class SubmitResult:
    """The result of one `submit`.

    Args:
        sent: how many messages SQS accepted.
        unsent: those that it did not accept.
        stopped: the error that every further call would have had; the messages after it were not read.
    """

    sent: int = 0
    unsent: list[Unsent] = field(default_factory=list)
    stopped: str = ""

    def add(self, part: "SubmitResult") -> None:
        """Add the result of further messages."""
        self.sent += part.sent
        self.unsent += part.unsent
        self.stopped = self.stopped or part.stopped

    def raise_if_unsent(self) -> None:
        """Raise where any message was not accepted.

        Raises:
            DataFactoryError: with the count, the first message and its error.
        """
        if self.unsent:
            first = self.unsent[0]
            rest = ", the rest was not tried" if self.stopped else ""
            raise DataFactoryError(
                f"{len(self.unsent)} of {self.sent + len(self.unsent)} messages could not be sent{rest}; the first is "
                f"{first.message.type} {first.message.indices}: {first.reason}; run again to send what is missing"
            )


class TaskSubmitter:
    """Submits generation tasks to SQS.

    Args:
        queue_url: the task queue; default ``SQS_QUEUE_URL``.
        client: a boto3 SQS client; default one from `settings`.
        settings: region and endpoint; default the environment.
        threads: SendMessageBatch calls in parallel.
        pause: seconds before the first retry of a failed entry; doubles with each retry.
    """

    def __init__(
        self,
        queue_url: str | None = None,
        *,
        client: "SQSClient | None" = None,
        settings: Config | None = None,
        threads: int = SUBMIT_THREADS,
        pause: float = 0.2,
    ) -> None:
        settings = settings or config
        self.queue_url = queue_url or settings.sqs_queue_url
        self._sender = DirectSender(client or aws.sqs(settings))
        self._threads = threads
        self._pause = pause
        # Until an endpoint refuses them.
        self._has_groups = True

    def create_task_messages(  # noqa: PLR0913 - the signature users call already
        self,
        generator: str,
        total_samples: int,
        batch_size: int,
        seed: int,
        output_format: OutputFormat = "files",
        output_bucket: str | None = None,
        *,
        dedup: bool = False,
        seeds: Seeds = "hashed",
    ) -> list[TaskMessage]:
        """The messages that `submit_tasks` would send for one generator, in order of their indices.

        Raises:
            SpecError: as `submit_tasks`.
        """
        _refuse_dedup(dedup=dedup)
        arguments = ([generator], total_samples, batch_size, seed, output_format, output_bucket, seeds)
        return [*_planned(*arguments)[1]]

    def submit_tasks(  # noqa: PLR0913 - the signature users call already
        self,
        generators: Sequence[str],
        total_samples: int,
        batch_size: int,
        seed: int,
        output_format: OutputFormat = "files",
        output_bucket: str | None = None,
        on_batch_sent: OnBatchSent | None = None,
        *,
        dedup: bool = False,
        seeds: Seeds = "hashed",
    ) -> dict[str, object]:
        """Plan `total_samples` of each generator in batches and send every batch.

        Returns:
            ``total_successful``, ``total_failed``, ``total_generators``, ``failed_generators`` (names) and
            ``unsent`` (an `Unsent` for each message that was tried and not accepted; after an error that
            every call would have, the rest is not tried).

        Raises:
            SpecError: the samples, batch size, names or bucket cannot be planned, or `dedup` is requested.
        """
        _refuse_dedup(dedup=dedup)
        arguments = (generators, total_samples, batch_size, seed, output_format, output_bucket, seeds)
        plan, messages = _planned(*arguments)
        done = self.submit(messages, on_batch_sent)
        return {
            "total_successful": done.sent,
            "total_failed": plan.batch_count - done.sent,
            "total_generators": len(plan.spec.generators),
            "failed_generators": sorted({unsent.message.type for unsent in done.unsent}),
            "unsent": done.unsent,
        }

    def submit(
        self, messages: Iterable[TaskMessage], on_batch_sent: OnBatchSent | None = None
    ) -> SubmitResult:
        """Send every message; `messages` may be a generator of any length.

        Args:
            messages: read lazily: at most two calls' worth of messages for each thread is held.
            on_batch_sent: called in this thread with (sent, not sent) after each SendMessageBatch.
        """
        done, under_way = SubmitResult(), 0
        calls = _pack(messages)
        finished: SimpleQueue[Future[SubmitResult]] = SimpleQueue()
        with ThreadPoolExecutor(self._threads, thread_name_prefix="submit") as pool:
            while True:
                room = 0 if done.stopped else 2 * self._threads - under_way
                for call in islice(calls, room):
                    pool.submit(self._send, call).add_done_callback(finished.put)
                    under_way += 1
                if not under_way:
                    return done
                part = finished.get().result()
                under_way -= 1
                done.add(part)
                if on_batch_sent:
                    on_batch_sent(part.sent, len(part.unsent))

    def _send(self, call: Sequence[_Entry]) -> SubmitResult:
        done = SubmitResult()
        left = dict(enumerate(call))
        pauses = delays(self._pause, _LONGEST_PAUSE)
        for attempt in range(TRIES):
            if attempt:
                time.sleep(next(pauses))
            try:
                refused = self._send_once(left)
            except _EveryCallFails as error:
                done.unsent += [Unsent(entry.message, str(error)) for entry in left.values()]
                done.stopped = str(error)
                return done
            done.sent += len(left) - len(refused)
            done.unsent += [Unsent(left[i].message, why) for i, (why, final) in refused.items() if final]
            left = {i: left[i] for i, (_, final) in refused.items() if not final}
            if not left:
                return done
        done.unsent += [Unsent(entry.message, refused[i][0]) for i, entry in left.items()]
        log.warning("%d messages were not accepted after %d tries", len(done.unsent), TRIES)
        return done

    def _send_once(self, left: dict[int, _Entry]) -> dict[int, tuple[str, bool]]:
        """Failed entries: number -> (error, whether a retry would fail too)."""
        entries = [self._entry(number, entry) for number, entry in left.items()]
        try:
            answer = self._sender.send_message_batch(self.queue_url, entries)
        except (ClientError, BotoCoreError) as error:
            if self._has_groups and "MessageGroupId" in str(error):
                self._has_groups = False
                return self._send_once(left)
            if _fails_every_call(error):
                raise _EveryCallFails(str(error)) from error
            # The call may have succeeded: a batch that is sent twice costs money, never correctness.
            return dict.fromkeys(left, (str(error), _is_final(error)))
        refused = {
            int(failed["Id"]): (f"{failed['Code']}: {failed.get('Message', '')}", failed["SenderFault"])
            for failed in answer.get("Failed", [])
        }
        if self._has_groups and any("MessageGroupId" in why for why, _ in refused.values()):
            self._has_groups = False
            refused = {number: (why, False) for number, (why, _) in refused.items()}
        taken = {int(entry["Id"]) for entry in answer.get("Successful", [])}
        return dict.fromkeys(left.keys() - taken, ("SQS returned no result for it", False)) | refused

    def _entry(self, number: int, entry: _Entry) -> "SendMessageBatchRequestEntryTypeDef":
        made: SendMessageBatchRequestEntryTypeDef = {"Id": str(number), "MessageBody": entry.body}
        if self._has_groups:
            made["MessageGroupId"] = entry.message.group
        return made


def _planned(  # noqa: PLR0913 - what users say, in the order they say it
    generators: Sequence[str],
    samples: int,
    batch_size: int,
    seed: int,
    output_format: OutputFormat,
    output_bucket: str | None,
    seeds: Seeds,
) -> tuple[Plan, Iterator[TaskMessage]]:
    spec = make_spec(
        generators=tuple(generators),
        samples=samples,
        batch_size=batch_size,
        seed=seed,
        output_format=output_format,
        seeds=seeds,
    )
    _check_bucket(output_bucket)
    plan = Plan(spec)
    return plan, plan.messages(output_bucket=output_bucket, dataset=None)


def _refuse_dedup(*, dedup: bool) -> None:
    if dedup:
        raise SpecError(
            "dedup=True: there is no table of parameters any more; leave it out: reports count distinct samples"
        )


def _check_bucket(name: str | None) -> None:
    """Raise here for a bucket that the worker would refuse in every message."""
    try:
        TaskMessage(type="any", num_samples=1, output_bucket=name)
    except ValidationError as error:
        raise SpecError(f"output_bucket={name!r}: {error.errors()[0]['msg']}") from error


class _EveryCallFails(Exception):  # noqa: N818 - it names what happened
    """Every further call would fail with the same error."""


def _fails_every_call(error: Exception) -> bool:
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        # SQS responds with a 403 to throttled calls as well.
        denied = status in {401, 403} and "Throttl" not in code
        return denied or "NonExistentQueue" in code or "QueueDoesNotExist" in code
    return isinstance(error, NoCredentialsError | PartialCredentialsError)


def _is_final(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    code = error.response.get("Error", {}).get("Code", "")
    return 400 <= status < 500 and status != 429 and "Throttl" not in code


def _pack(messages: Iterable[TaskMessage]) -> Iterator[list[_Entry]]:
    """Messages in calls of at most ten and 1 MiB."""
    call: list[_Entry] = []
    size = 0
    for message in messages:
        body = message.to_json()
        length = len(body.encode())
        if call and (len(call) == ENTRIES_PER_CALL or size + length > BYTES_PER_CALL):
            yield call
            call, size = [], 0
        call.append(_Entry(message, body))
        size += length
    if call:
        yield call
