"""A loopback AWS with a clock that can be moved: S3, SQS, the Lambda behind it, and how they fail.

    python -m bench.fake_world '{"generators": 300, "samples": 10000, …}'      prints the port it listens on

Workers take messages in the order they came, `slots` at once, and each has made its batch so many seconds later.
``/-bench/skip?seconds=15`` moves the clock forward; between that it goes on with the real one. Samples are a byte
each; their keys are rendered when they are listed. Records are kept as the worker writes them.
"""

import json
import time
from bisect import bisect_right
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cached_property
from hashlib import md5
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from bench.fake_listing import FILES, SAMPLES_PER_PAGE, row_pieces
from bench.fake_server import FakeService, Request, command_line, response, serve
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import compress
from vbvrdatafactory.core.records import FailureRecord, Receipt
from vbvrdatafactory.core.seeds import python_hash_seed
from vbvrdatafactory.core.usage import Host, Repetition, RunUsage, Usage

BUCKET, QUEUE, DLQ = "sim-bucket", "tasks", "dead-letters"
_XML, _JSON, _AMZ = b"application/xml", b"application/json", b"application/x-amz-json-1.0"
_MAPPINGS = b"""{"EventSourceMappings": [{"UUID": "0", "State": "Enabled", "LastProcessingResult": "OK", "BatchSize": 1,
"FunctionArn": "arn:aws:lambda:us-east-2:000000000000:function:worker"}]}"""
_MEMORY_MB = 1769
_FUNCTION = json.dumps(
    {
        "FunctionName": "worker",
        "State": "Active",
        "MemorySize": _MEMORY_MB,
        "Timeout": 900,
        "EphemeralStorage": {"Size": 4096},
        "Architectures": ["x86_64"],
    }
).encode()
_PAGE = 1000
_NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_TASK = "fake"


@dataclass
class Settings:
    """What the world is like. Seconds are those of its clock."""

    generators: int = 300
    samples: int = 10_000
    slots: int = 990
    seconds_a_sample: float = 1.0
    cold_seconds: float = 5.0
    always_failing: int = 1
    lost_share: float = 0.001
    lost_seconds: float = 600.0
    twice_share: float = 0.001
    random_seed: int = 7
    # How many times as long as the quickest generator the slowest takes for a sample; the others lie between them.
    variety: float = 1.0
    # Digest of the generators' code.
    code: str | None = None

    def seconds_each(self, generator: str) -> float:
        """What a sample of a generator takes; on average, `seconds_a_sample`."""
        place = self.names.index(generator) / max(1, self.generators - 1)
        spread = 2 * (1 + place * (self.variety - 1)) / (1 + self.variety)
        return self.seconds_a_sample * spread

    @cached_property
    def names(self) -> list[str]:
        """Of the generators; the first ones always fail."""
        return [f"G-{number:03d}_fake_task_data-generator" for number in range(self.generators)]


class Stored(NamedTuple):
    """A small object."""

    body: bytes
    etag: str
    at: datetime


class DeadLetter(NamedTuple):
    """A message in the dead letter queue."""

    body: str
    sent_at: float
    cause: str


class Running(NamedTuple):
    """A message that a worker is working on; sorted by when it ends."""

    ends: float
    number: int
    body: str
    sent_at: float
    lost: bool
    seconds: float


@dataclass
class Tally:
    """What the workers did, for the bill and the truth."""

    batches: int = 0
    made_twice: int = 0
    lost: int = 0
    failed: int = 0
    busy_seconds: float = 0.0
    files_put: int = 0


@dataclass
class Workers:
    """The queue and who works on it."""

    settings: Settings
    waiting: deque[tuple[str, float]] = field(default_factory=deque)
    running: list[Running] = field(default_factory=list)
    dead_letters: dict[str, DeadLetter] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._random = Random(self.settings.random_seed)  # noqa: S311 - no secret
        self._numbers = count()

    def take(self, now: float) -> None:
        """Begin as many as there is room for."""
        while self.waiting and len(self.running) < self.settings.slots:
            body, sent_at = self.waiting.popleft()
            lost = self._random.random() < self.settings.lost_share
            seconds = self.settings.lost_seconds if lost else self._seconds(body)
            heappush(self.running, Running(now + seconds, next(self._numbers), body, sent_at, lost, seconds))
            if self._random.random() < self.settings.twice_share:
                self.tally.made_twice += 1
                self.waiting.append((body, sent_at))

    def _seconds(self, body: str) -> float:
        said = json.loads(body)
        each = self.settings.seconds_each(said["type"])
        seconds = self.settings.cold_seconds + said["num_samples"] * each
        again = (
            _again(said["num_samples"]) * each + self.settings.cold_seconds if said.get("certify") else 0.0
        )
        return float(seconds + again) * self._random.uniform(0.7, 1.3)


def _again(count: int) -> int:
    """Samples that are made again where a batch certifies."""
    return max(1, count // 4)


def _run(samples: int, seconds: float) -> RunUsage:
    memory = 100_000_000 + 2_000_000 * samples
    return RunUsage(
        samples=samples,
        seconds=seconds,
        cpu_seconds=seconds,
        memory_bytes=memory,
        disk_bytes=200_000 * samples,
    )


class World(FakeService):
    """All of it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.skipped = 0.0
        self.began = datetime.now(UTC) - timedelta(seconds=time.monotonic())
        self.samples = {name: bytearray(settings.samples) for name in settings.names}
        self.failing = set(settings.names[: settings.always_failing])
        self.objects: defaultdict[str, dict[str, Stored]] = defaultdict(dict)
        self.workers = Workers(settings)
        self.hidden: dict[str, DeadLetter] = {}
        self.serial = count(1)

    # The clock

    @property
    def now(self) -> float:
        return time.monotonic() + self.skipped

    def at(self, seconds: float) -> datetime:
        return self.began + timedelta(seconds=seconds)

    def steer(self, target: str) -> bytes:
        """Besides the commands of every fake: skip time, and return the true state."""
        url = urlsplit(target)
        if url.path == "/-bench/skip":
            self.skipped += float(parse_qs(url.query)["seconds"][0])
            self.catch_up()
            return response(b"{}", _JSON)
        if url.path == "/-bench/mend":
            self.failing.clear()
        if url.path == "/-bench/truth":
            whole = {name: there.count(1) for name, there in self.samples.items()}
            truth = {"whole": whole, "tally": vars(self.workers.tally), "waiting": len(self.workers.waiting)}
            return response(json.dumps(truth).encode(), _JSON)
        return super().steer(target)

    def catch_up(self) -> None:
        """Let the workers do what they have done by now."""
        now, workers = self.now, self.workers
        while workers.running and workers.running[0].ends <= now:
            done = heappop(workers.running)
            self._finish(done)
            workers.take(done.ends)
        workers.take(now)

    # Workers

    def _finish(self, done: Running) -> None:
        message = TaskMessage.model_validate_json(done.body)
        tally = self.workers.tally
        if done.lost:
            tally.lost += 1
            self._give_up(done, "")
        elif message.type in self.failing:
            tally.failed += 1
            self._fail(done, message)
        else:
            tally.batches += 1
            tally.busy_seconds += done.seconds
            self._make(done, message)

    def _make(self, done: Running, message: TaskMessage) -> None:
        there = self.samples[message.type]
        wanted = message.only_indices or range(*message.indices)
        for index in wanted:
            there[index] = 1
        self.workers.tally.files_put += len(FILES) * len(wanted)
        receipt = Receipt(
            message=message.plain,
            seed=message.seed or 0,
            python_hash_seed=python_hash_seed(message.seed or 0),
            task=_TASK,
            stored=compress(wanted),
            result=TaskResult(generator=message.type, samples_uploaded=len(wanted), sample_ids=[]),
            attempt=1,
            generator_digest=self.settings.code,
            **self._usage(message, done.seconds),
            finished_at=self.at(done.ends),
        )
        key = keys.receipt(keys.ReceiptKey(message.type, message.indices, message.salt, receipt.seed))
        self._store(key, receipt.model_dump_json().encode(), self.at(done.ends))

    def _usage(self, message: TaskMessage, seconds: float) -> dict[str, Any]:
        """What the batch used, and what was run again where it certifies."""
        each, cold, count = (
            self.settings.seconds_each(message.type),
            self.settings.cold_seconds,
            message.num_samples,
        )
        again = _again(count) if message.certify else 0
        total = cold + count * each + (cold + again * each if again else 0.0)
        share = seconds / total
        own = (cold + count * each) * share
        usage = Usage(
            runs=(_run(count, own),),
            seconds=own,
            certifying_seconds=seconds - own,
            cpu_seconds=own,
            worker_bytes=150_000_000,
            objects=len(FILES) * count,
            stored_bytes=100_000 * count,
            host=Host(function_mb=_MEMORY_MB, processor="x86_64"),
        )
        if not again:
            return {"usage": usage}
        return {"usage": usage, "repetition": Repetition(runs=(_run(again, seconds - own),), of_fewer=True)}

    def _fail(self, done: Running, message: TaskMessage) -> None:
        record = FailureRecord(
            message=message,
            seed=message.seed,
            cause=Cause.CRASH,
            detail="the generator ended with exit code 1",
            exit_code=1,
            stderr_tail="Traceback (most recent call last):\nValueError: no such shape: 'heptagon'\n",
            attempt=1,
            generator_digest=self.settings.code,
            failed_at=self.at(done.ends),
        )
        key = keys.failure(keys.FailureKey(message.type, message.indices, message.salt, 1, Cause.CRASH))
        self._store(key, record.model_dump_json().encode(), self.at(done.ends))
        self._give_up(done, Cause.CRASH)

    def _give_up(self, done: Running, cause: str) -> None:
        self.workers.dead_letters[f"letter-{next(self.serial)}"] = DeadLetter(done.body, done.sent_at, cause)

    def _store(self, key: str, body: bytes, at: datetime) -> Stored:
        stored = Stored(body, f'"{next(self.serial)}"', at)
        self.objects[_group(key)][key] = stored
        return stored

    # Requests

    def answer(self, request: Request) -> bytes:
        """Whichever service is asked."""
        self.catch_up()
        operation = request.header(b"x-amz-target").rpartition(".")[2]
        if operation:
            self.counts[f"sqs {operation}"] += 1
            return self._sqs(operation, json.loads(request.body))
        if request.target.startswith(b"/2015-03-31/") or b"/functions/" in request.target:
            self.counts["lambda"] += 1
            return response(_MAPPINGS if b"event-source-mappings" in request.target else _FUNCTION, _JSON)
        url = urlsplit(request.target.decode())
        key = unquote(url.path).lstrip("/").partition("/")[2]
        method = request.method.decode()
        if method == "GET" and not key:
            self.counts["s3 LIST"] += 1
            return self._list({name: value[0] for name, value in parse_qs(url.query).items()})
        self.counts[f"s3 {method}"] += 1
        return self._object(method, key, request)

    # SQS

    def _sqs(self, operation: str, asked: dict[str, Any]) -> bytes:
        said: Any = getattr(self, f"_{operation.lower()}")(asked)
        return response(json.dumps(said).encode(), _AMZ)

    def _getqueueattributes(self, asked: dict[str, Any]) -> dict[str, Any]:
        dead = asked["QueueUrl"].endswith(DLQ)
        waiting = len(self.workers.dead_letters) if dead else len(self.workers.waiting)
        flying = 0 if dead else len(self.workers.running)
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        found = {**dict(zip(names, (str(waiting), str(flying)), strict=True)), f"{names[0]}Delayed": "0"}
        return {"Attributes": {**found, "QueueArn": f"arn:aws:sqs:us-east-2:000000000000:{QUEUE}"}}

    def _sendmessagebatch(self, asked: dict[str, Any]) -> dict[str, Any]:
        taken = []
        for entry in asked["Entries"]:
            body = entry["MessageBody"]
            self.workers.waiting.append((body, self.now))
            digest = md5(body.encode(), usedforsecurity=False).hexdigest()
            taken.append({"Id": entry["Id"], "MessageId": str(next(self.serial)), "MD5OfMessageBody": digest})
        self.counts["messages"] += len(taken)
        return {"Successful": taken, "Failed": []}

    def _receivemessage(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Of dead letters only. There is one reader, so those that are hidden are just set aside."""
        found = list(self.workers.dead_letters.items())[: asked.get("MaxNumberOfMessages", 1)]
        for number, letter in found:
            del self.workers.dead_letters[number]
            self.hidden[number] = letter
        return {
            "Messages": [_as_message(number, letter, self.at(letter.sent_at)) for number, letter in found]
        }

    def _deletemessage(self, asked: dict[str, Any]) -> dict[str, Any]:
        del self.hidden[asked["ReceiptHandle"]]
        return {}

    def _changemessagevisibilitybatch(self, asked: dict[str, Any]) -> dict[str, Any]:
        for entry in asked["Entries"]:
            number = entry["ReceiptHandle"]
            self.workers.dead_letters[number] = self.hidden.pop(number)
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}

    # S3

    def _object(self, method: str, key: str, request: Request) -> bytes:
        there = self.objects[_group(key)].get(key)
        if method == "PUT":
            return self._put(key, there, request)
        if method == "DELETE":
            self.objects[_group(key)].pop(key, None)
            return response(b"", _XML, b"204 No Content")
        if there is None:
            return response(
                b"<Error><Code>NoSuchKey</Code></Error>" if method == "GET" else b"", _XML, b"404 Not Found"
            )
        head = [f"ETag: {there.etag}", f"Last-Modified: {format_datetime(there.at, usegmt=True)}"]
        return _with_headers(there.body, head, body=method == "GET")

    def _put(self, key: str, there: Stored | None, request: Request) -> bytes:
        only_new, only_this = request.header(b"if-none-match"), request.header(b"if-match")
        if (only_new and there) or (only_this and (there is None or there.etag != only_this)):
            return response(
                b"<Error><Code>PreconditionFailed</Code></Error>", _XML, b"412 Precondition Failed"
            )
        stored = self._store(key, request.body, self.at(self.now))
        return _with_headers(b"", [f"ETag: {stored.etag}"], body=True)

    def _list(self, asked: dict[str, str]) -> bytes:
        prefix, token = asked.get("prefix", ""), asked.get("continuation-token", "")
        if asked.get("delimiter"):
            return self._folders(prefix)
        if prefix.startswith(keys.QUESTIONS):
            return self._samples(prefix, int(token or 0))
        found = sorted(
            (key, stored)
            for group, objects in self.objects.items()
            if group.startswith(prefix) or prefix.startswith(group)
            for key, stored in objects.items()
            if key.startswith(prefix)
        )
        start = bisect_right(found, token, key=lambda row: row[0]) if token else 0
        page = found[start : start + _PAGE]
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{stored.at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{escape(stored.etag)}</ETag><Size>{len(stored.body)}</Size></Contents>"
            for key, stored in page
        )
        return _listing(rows.encode(), page[-1][0] if start + _PAGE < len(found) else "")

    def _folders(self, prefix: str) -> bytes:
        folders: set[str] = set()
        if prefix == keys.QUESTIONS:
            folders = {f"{prefix}{name}/" for name, there in self.samples.items() if any(there)}
        else:
            rest = (
                key[len(prefix) :]
                for objects in self.objects.values()
                for key in objects
                if key.startswith(prefix)
            )
            folders = {f"{prefix}{name.partition('/')[0]}/" for name in rest if "/" in name}
        rows = "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)
        )
        return _listing(rows.encode(), "")

    def _samples(self, prefix: str, start: int) -> bytes:
        name = prefix.removeprefix(keys.QUESTIONS).strip("/")
        there = self.samples.get(name, bytearray())
        at = there.find(1, start)
        chosen: list[int] = []
        while at >= 0 and len(chosen) < SAMPLES_PER_PAGE:
            chosen.append(at)
            at = there.find(1, at + 1)
        stem = f"<Contents><Key>{keys.QUESTIONS}{name}/{_TASK}_task/{_TASK}_".encode()
        pieces = [piece for index in chosen for piece in row_pieces(index)]
        return _listing(stem.join([b"", *pieces]), str(at) if at >= 0 else "")


def _group(key: str) -> str:
    return "/".join(key.split("/")[:3])


def _listing(rows: bytes, token: str) -> bytes:
    more = f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
    head = f"<ListBucketResult {_NS}><IsTruncated>{str(bool(token)).lower()}</IsTruncated>{more}"
    return response(head.encode() + rows + b"</ListBucketResult>", _XML)


def _with_headers(data: bytes, lines: list[str], *, body: bool) -> bytes:
    head = "".join(f"{line}\r\n" for line in lines)
    start = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n{head}\r\n".encode()
    return start + data if body else start


def _as_message(number: str, letter: DeadLetter, at: datetime) -> dict[str, Any]:
    said = {"cause": {"DataType": "String", "StringValue": letter.cause}} if letter.cause else {}
    sent = str(int(at.timestamp() * 1000))
    return {
        "MessageId": number,
        "ReceiptHandle": number,
        "Body": letter.body,
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": sent},
        "MessageAttributes": said,
    }


if __name__ == "__main__":
    parser = command_line(__doc__)
    parser.add_argument("settings", type=json.loads, help="a JSON object with fields of Settings")
    serve(World(Settings(**parser.parse_args().settings)))
