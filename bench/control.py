"""Measures the control plane: how fast messages are planned and sent, and how fast a bucket is verified.

    python -m bench.control [submit] [verify] [plan]      default: all three, small; --full for the sizes of a large run

submit  messages/s into a fake SQS, against the predecessor's submitter (--predecessor CHECKOUT)
verify  keys/s of inventory and gaps from a fake listing, against `aws s3 ls --recursive` and s5cmd (--aws, --s5cmd)
plan    seconds and memory of a million batches

Fakes and contestants are processes of their own on loopback. In every round each contestant has a turn; "faster"
is the median of the rounds' ratios. A reading counts only if every message arrived once, or every key was seen
and exactly the planted faults were found.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from shutil import which
from statistics import median
from typing import Any

from bench.fake_listing import BUCKET, Shape
from bench.measure import BenchError, Machine, plain_environment
from bench.tables import print_table

ROOT = Path(__file__).resolve().parents[1]
_HERE = Path(__file__).resolve().parent
_QUEUE = "/000000000000/bench"
# The targets.
SUBMIT_TARGET, AWS_TARGET, S5CMD_TARGET = 12.0, 40.0, 4.0
_WHOLE, _WHOLE_SECONDS, _WHOLE_BYTES = "ours, 15 million keys", 60.0, 10**9
_TARGET_DELAY = 10
_MB = 1e6


@dataclass
class Reading:
    """What one turn cost. `others` is the share of the machine that others used meanwhile."""

    count: int
    wall: float
    cpu: float
    peak: int
    fake_cpu: float = 0.0
    others: float = 0.0

    @property
    def rate(self) -> float:
        """Messages, keys or batches a second."""
        return self.count / self.wall


Readings = dict[str, list[Reading]]


class FakeProcess:
    """A fake service in a process of its own, seen from here."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.port = int(process.stdout.readline()) if process.stdout else 0
        self.url, self.pid = f"http://127.0.0.1:{self.port}", process.pid

    def steer(self, what: str) -> dict[str, Any]:
        """`delay?ms=N`, `reset` or `state`; the state after it."""
        connection = HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request("GET", f"/-bench/{what}")
            state: dict[str, Any] = json.loads(connection.getresponse().read())
            return state
        finally:
            connection.close()

    def during(self, turn: Callable[[], Reading]) -> tuple[Reading, dict[str, int]]:
        """Take a reading, and what the fake counted meanwhile."""
        before = self.steer("reset")
        machine = Machine()
        reading = turn()
        after = self.steer("state")
        reading.fake_cpu = after["cpu"] - before["cpu"]
        reading.others = machine.used_by_others(reading.cpu + reading.fake_cpu)
        return reading, after["counts"]


@contextmanager
def fake(module: str, *arguments: object) -> Iterator[FakeProcess]:
    """A running ``bench.{module}``."""
    command = [sys.executable, "-m", f"bench.{module}", *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield FakeProcess(process)
        if process.stdin:
            process.stdin.close()


class LibraryProcess:
    """`library_process.py` with the packages of one checkout."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name, self.process = name, process

    def do(self, **order: object) -> dict[str, Any]:
        """Its answer.

        Raises:
            BenchError: it died; its traceback is above.
        """
        if not self.process.stdin or not self.process.stdout:
            raise BenchError(f"{self.name} has no pipes")
        print(json.dumps(order), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"{self.name} died at {order['do']}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def library(name: str, checkout: Path, url: str, scratch: Path) -> Iterator[LibraryProcess]:
    """A process that has `checkout` first on its path and knows no AWS but the fake one."""
    command = [sys.executable, "-P", str(_HERE / "library_process.py")]
    environment = {**_environment(url, scratch), "PYTHONPATH": str(checkout)}
    with subprocess.Popen(
        command, cwd=scratch, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield LibraryProcess(name, process)
        if process.stdin:
            process.stdin.close()


def _environment(url: str, scratch: Path) -> dict[str, str]:
    return {
        **plain_environment(scratch),
        "OUTPUT_BUCKET": BUCKET,
        "SQS_QUEUE_URL": f"{url}{_QUEUE}",
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-2",
        "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "DATAFACTORY_ENV_FILE": "",
    }


def _reading(answer: dict[str, Any]) -> Reading:
    return Reading(answer["count"], answer["wall"], answer["cpu"], answer["peak"])


def measure_submit(options: argparse.Namespace, scratch: Path) -> dict[int, Readings]:
    """Readings by delay in ms."""
    found: dict[int, Readings] = {}
    with ExitStack() as stack:
        queue = stack.enter_context(fake("fake_sqs"))
        sides = [(stack.enter_context(library("ours", ROOT, queue.url, scratch)), options.messages)]
        if options.predecessor:
            old = stack.enter_context(
                library("predecessor", options.predecessor.resolve(), queue.url, scratch)
            )
            # A tenth of the messages takes it about as long.
            sides.append((old, options.messages // 10))
        for delay in options.delays:
            queue.steer(f"delay?ms={delay}")
            found[delay] = {one.name: [] for one, _ in sides}
            for _ in range(options.rounds):
                for one, messages in sides:
                    found[delay][one.name].append(_submit(queue, one, messages))
    return found


def _submit(queue: FakeProcess, one: LibraryProcess, messages: int) -> Reading:
    one.do(do="submit", messages=100)
    reading, counts = queue.during(lambda: _reading(one.do(do="submit", messages=messages)))
    arrived = (reading.count, counts.get("messages"), counts.get("distinct"))
    if arrived != (messages,) * 3:
        raise BenchError(f"{one.name} was to send {messages} and says, arrived, different: {arrived}")
    return reading


def measure_verify(options: argparse.Namespace, scratch: Path) -> Readings:
    """Readings by contestant. aws and s5cmd take one page after the other, and so get a smaller bucket."""
    shape = Shape(options.generators, options.samples, options.fault_every)
    slow = Shape(min(10, options.generators), options.samples, options.fault_every)
    found: Readings = {}
    if options.full:
        whole = Shape(300, 10_000, options.fault_every)
        with _listing(whole, options.page_ms) as store:
            found[_WHOLE] = [_verify(store, whole, scratch)]
    with ExitStack() as stack:
        large = stack.enter_context(_listing(shape, options.page_ms))
        small = stack.enter_context(_listing(slow, options.page_ms))
        turns: dict[str, Callable[[], Reading]] = {"ours": lambda: _verify(large, shape, scratch)}
        if options.s5cmd:
            orders = _orders(shape, scratch)
            at = [options.s5cmd, "--endpoint-url"]
            turns["s5cmd, a listing a generator"] = lambda: _list(
                large, shape, [*at, large.url, "run", str(orders)], scratch
            )
            turns["s5cmd"] = lambda: _list(
                small, slow, [*at, small.url, "ls", f"s3://{BUCKET}/questions/*"], scratch
            )
        if options.aws:
            call = [
                options.aws,
                "--endpoint-url",
                small.url,
                "s3",
                "ls",
                "--recursive",
                f"s3://{BUCKET}/questions/",
            ]
            turns["aws s3 ls --recursive"] = lambda: _list(small, slow, call, scratch)
        for _ in range(options.rounds):
            for name, turn in turns.items():
                found.setdefault(name, []).append(turn())
    return found


@contextmanager
def _listing(shape: Shape, page_ms: float) -> Iterator[FakeProcess]:
    with fake("fake_listing", len(shape.names), shape.samples, shape.fault_every) as store:
        store.steer(f"delay?ms={page_ms}")
        yield store


def _verify(store: FakeProcess, shape: Shape, scratch: Path) -> Reading:
    """In a new process each time: its peak memory is this turn's."""
    gaps: dict[str, list[list[int]]] = {}
    with library("ours", ROOT, store.url, scratch) as ours:

        def turn() -> Reading:
            answer = ours.do(do="verify", generators=shape.names, samples=shape.samples)
            gaps.update(answer["gaps"])
            return _reading(answer)

        reading, _ = store.during(turn)
    if reading.count != shape.keys:
        raise BenchError(f"{reading.count} keys were seen of {shape.keys}")
    for number, name in enumerate(shape.names):
        lacking = {index for start, stop in gaps.get(name, []) for index in range(start, stop)}
        if lacking != shape.missing(number) | shape.torn(number):
            raise BenchError(f"{name}: {sorted(lacking)} were found missing, which is not what was planted")
    return reading


def _orders(shape: Shape, scratch: Path) -> Path:
    """A file for `s5cmd run`: one listing for each generator, side by side."""
    path = scratch / "s5cmd-orders"
    path.write_text("".join(f"ls s3://{BUCKET}/questions/{name}/*\n" for name in shape.names))
    return path


def _list(store: FakeProcess, shape: Shape, command: list[str], scratch: Path) -> Reading:
    """Let a command write its listing into a file, and count the lines."""
    output = scratch / "listing"

    def turn() -> Reading:
        started = time.perf_counter()
        with output.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, env=_environment(store.url, scratch))
            _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        return Reading(0, wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)

    reading, _ = store.during(turn)
    with output.open("rb") as file:
        reading.count = sum(1 for _ in file)
    output.unlink()
    if reading.count != shape.keys:
        raise BenchError(f"{command[0]} listed {reading.count} keys of {shape.keys}")
    return reading


_WAYS = {
    "batches": "batches iterated",
    "messages": "messages made as JSON",
    "gaps": "messages for an empty bucket",
}


def measure_plan(options: argparse.Namespace, scratch: Path) -> Readings:
    """Readings by what is made of the plan, each in a new process."""
    found: Readings = {}
    for way in _WAYS:
        with library("ours", ROOT, "http://127.0.0.1:1", scratch) as ours:
            ours.do(do="plan", batches=100, way=way)
            machine = Machine()
            reading = _reading(ours.do(do="plan", batches=options.batches, way=way))
            reading.others = machine.used_by_others(reading.cpu)
            found[way] = [reading]
    return found


def faster(found: Readings, other: str) -> float | None:
    """How many times the rate of `other` ours is: the median of the rounds."""
    if other not in found or other in ("ours", _WHOLE):
        return None
    return median(a.rate / b.rate for a, b in zip(found["ours"], found[other], strict=True))


def _row(what: str, readings: list[Reading], ratio: float | None) -> list[str]:
    middle = sorted(readings, key=lambda reading: reading.rate)[len(readings) // 2]
    micro = 1e6 / middle.count
    return [
        what,
        f"{middle.count:,}",
        f"{middle.wall:.2f}",
        f"{middle.rate:,.0f}",
        f"{ratio:.1f}" if ratio else "",
        f"{middle.cpu * micro:.2f}",
        f"{middle.peak / _MB:.0f}",
        f"{middle.fake_cpu / middle.wall:.0%}",
        f"{middle.others:.0%}",
    ]


def _head(what: str, unit: str) -> list[str]:
    columns = ["seconds", f"{unit}/s", "ours faster x", "CPU us each", "peak MB"]
    return [what, unit, *columns, "fake's CPU", "others' share"]


def _print_target(target: str, value: float | None, least: float) -> None:
    if value is not None:
        print(f"{target}: {value:.1f} ({'reached' if value >= least else 'NOT reached'})")


def report_submit(found: dict[int, Readings]) -> None:
    """Print the table and the target."""
    rows = [
        _row(f"{who}, {delay} ms a call", list(taken), faster(readings, who))
        for delay, readings in found.items()
        for who, taken in readings.items()
    ]
    print_table(_head("submit", "messages"), rows)
    if _TARGET_DELAY in found:
        ratio = faster(found[_TARGET_DELAY], "predecessor")
        _print_target(
            f"submission at 10 ms, target {SUBMIT_TARGET:.0f} times the predecessor's", ratio, SUBMIT_TARGET
        )


def report_verify(found: Readings) -> None:
    """Print the table and the targets."""
    rows = [_row(who, taken, faster(found, who)) for who, taken in found.items()]
    print_table(_head("verify", "keys"), rows)
    for whole in found.get(_WHOLE, ()):
        reached = whole.wall < _WHOLE_SECONDS and whole.peak < _WHOLE_BYTES
        print(f"target 15 million keys in 60 s and 1 GB: {'reached' if reached else 'NOT reached'}")
    _print_target("target 40 times aws s3 ls --recursive", faster(found, "aws s3 ls --recursive"), AWS_TARGET)
    _print_target("target 4 times s5cmd", faster(found, "s5cmd"), S5CMD_TARGET)
    _print_target(
        "the same with a listing a generator", faster(found, "s5cmd, a listing a generator"), S5CMD_TARGET
    )


def report_plan(found: Readings) -> None:
    """Print the table."""
    print_table(_head("plan", "batches"), [_row(_WAYS[way], taken, None) for way, taken in found.items()])


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("parts", nargs="*", metavar="submit|verify|plan", help="default: all")
    add("--full", action="store_true", help="a bucket of 15 million keys besides, 100,000 messages, 3 rounds")
    add("--rounds", type=int, default=2, help="turns of everyone (default: %(default)s)")
    add("--messages", type=int, default=20_000, help="of ours in a turn (default: %(default)s)")
    add("--delays", type=int, nargs="+", default=[0, 10], metavar="MS", help="of each call (default: 0 10)")
    add("--predecessor", type=Path, help="a checkout of Video-Reason/VBVR-DataFactory")
    add("--generators", type=int, default=50, help="in the bucket (default: %(default)s)")
    add("--samples", type=int, default=2000, help="of each, at most 10,000 (default: %(default)s)")
    add("--fault-every", type=int, default=7, help="generators with a lacking and a torn sample (default: 7)")
    add("--page-ms", type=int, default=50, help="delay of each page of 1,000 keys (default: %(default)s)")
    add("--aws", default=which("aws"), help="the aws command (default: where it is installed)")
    add("--s5cmd", default=which("s5cmd"), help="the s5cmd command (default: where it is installed)")
    add("--batches", type=int, default=1_000_000, help="of the plan (default: %(default)s)")
    add("--json", type=Path, help="write every reading here")
    return parser


_PARTS: dict[str, tuple[Callable[..., Any], Callable[[Any], None]]] = {
    "submit": (measure_submit, report_submit),
    "verify": (measure_verify, report_verify),
    "plan": (measure_plan, report_plan),
}


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure and print; every reading, for a file.

    Raises:
        BenchError: a reading that would mean nothing.
    """
    if options.full:
        options.messages, options.rounds = 100_000, 3
    results: dict[str, Any] = {
        "machine": platform.platform(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
    }
    with tempfile.TemporaryDirectory(prefix="bench-control-") as scratch:
        for part in options.parts or _PARTS:
            take, report = _PARTS[part]
            found = take(options, Path(scratch))
            report(found)
            results[part] = found
    return results


def main() -> None:
    """Run from the command line."""
    parser = arguments()
    options = parser.parse_args()
    if unknown := set(options.parts) - set(_PARTS):
        parser.error(f"{unknown.pop()!r} is not one of {', '.join(_PARTS)}")
    try:
        results = run(options)
    except BenchError as error:
        sys.exit(str(error))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, default=asdict) + "\n")


if __name__ == "__main__":
    main()
