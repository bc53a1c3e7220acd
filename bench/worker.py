"""Measures our worker against its predecessor's: same machine, same batches, taking turns.

    python -m bench.worker [--predecessor CHECKOUT] [--generators FOLDER --light NAME --medium NAME --heavy NAME]

Each case (a generator, a format, a delay of the fake S3) is measured several times; in each round everyone has
a turn: the generator by itself, the predecessor, our worker with one batch, our worker with both processors busy.
Generators run in the environments of their lock, by themselves too. The table has medians. A measurement counts only if it stored exactly the bytes that the generator makes.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from shutil import copytree, ignore_patterns

from bench.measure import (
    SEED,
    TUNING,
    BenchError,
    Digests,
    Disk,
    FakeAws,
    Handler,
    HandlerProcess,
    Machine,
    Memory,
    Reading,
    fake_aws,
    run_alone,
    wait_for_quiet,
)
from bench.tables import Case, print_tables
from vbvrdatafactory.core.generators_lock import INSTALLED, LOCK

ROOT = Path(__file__).resolve().parents[1]
_FIRST_PARTY = {
    "light": "V-3_bouncing_balls_data-generator",
    "medium": "V-1_maze_path_data-generator",
    "heavy": "V-2_sliding_puzzle_data-generator",
}


@dataclass
class Bench:
    """Everything that stays the same from case to case."""

    options: argparse.Namespace
    scratch: Path
    generators: Path
    aws: FakeAws
    ours: Handler
    predecessor: Handler | None
    truths: dict[tuple[str, int], Digests] = field(default_factory=dict)

    def start(self, stack: ExitStack, handler: Handler, generator: str) -> HandlerProcess:
        """A warm process with `handler`: it has made its clients and one sample."""
        side = stack.enter_context(handler.start(self.scratch, self.aws.url, self.generators))
        self.aws.reset(0)
        side.call(_message(generator, 1, 0, "files"))
        return side

    def truth(self, generator: str, count: int) -> Digests:
        """What the generator makes by itself."""
        if (generator, count) not in self.truths:
            alone = run_alone(self.generators / generator, self.scratch, count, SEED, {})
            self.truths[generator, count] = alone.digests
        return self.truths[generator, count]

    def measure(
        self, case: Case, sides: list[HandlerProcess], batches: int, *, memory: bool = False
    ) -> Reading:
        """Give `batches` batches to `sides`, as one event for each side, and read what one batch cost."""
        self.aws.reset(case.delay_ms)
        disk = Disk([side.temp for side in sides], case.generator)
        before = self.aws.state()
        machine, started = Machine(), time.perf_counter()
        with ExitStack() as stack:
            watch = stack.enter_context(Memory(side.process.pid for side in sides)) if memory else None
            for side, event in zip(sides, _events(case, len(sides), batches), strict=True):
                side.send(event)
            answers = [side.receive() for side in sides]
            wall = time.perf_counter() - started
        after, cpu = self.aws.state(), sum(answer["cpu"] for answer in answers)
        server = after["cpu"] - before["cpu"]
        reading = Reading(wall / batches, cpu / batches, max(answer["peak"] for answer in answers))
        reading.others = machine.used_by_others(cpu + server)
        reading.left = disk.left() // batches
        reading.puts = after["counts"].get("PUT", 0) // batches
        reading.requests = sum(after["counts"].values()) // batches
        reading.server_cpu = server / batches
        reading.tree_peak = watch.peak if watch else None
        self._check(case, batches, self.aws.digests(after["objects"], case.generator), sides[0].name)
        return reading

    def _check(self, case: Case, batches: int, found: Digests, who: str) -> None:
        truth = self.truth(case.generator, case.count)
        expected = {
            (task, index + batch * case.count, name): digest
            for (task, index, name), digest in truth.items()
            for batch in range(batches)
        }
        wrong = sorted(
            place for place in expected.keys() | found.keys() if expected.get(place) != found.get(place)
        )
        if wrong:
            raise BenchError(f"{case}: {who} stored something else in {len(wrong)} places, first {wrong[0]}")

    def when_quiet(self, take: Callable[[], Reading]) -> Reading:
        """`take` when the machine is quiet, again if others used it meanwhile; the quietest reading."""
        readings = []
        for _ in range(self.options.tries):
            wait_for_quiet(self.options.quiet, self.options.wait)
            readings.append(take())
            if readings[-1].others <= self.options.quiet:
                break
        return min(readings, key=lambda reading: reading.others)


def _message(generator: str, count: int, batch: int, output_format: str) -> dict[str, object]:
    return {
        "type": generator,
        "num_samples": count,
        "start_index": batch * count,
        "seed": SEED,
        "output_format": output_format,
    }


def _events(case: Case, sides: int, batches: int) -> Iterator[dict[str, object]]:
    """The batches dealt out to the sides: a bare message for one, SQS records for several."""
    messages = [_message(case.generator, case.count, batch, case.output_format) for batch in range(batches)]
    share = batches // sides
    for mine in (messages[side * share :][:share] for side in range(sides)):
        yield mine[0] if share == 1 else {"Records": [_record(message) for message in mine]}


def _record(message: dict[str, object]) -> dict[str, object]:
    return {
        "messageId": f"bench-{message['start_index']}",
        "receiptHandle": f"bench-{message['start_index']}",
        "body": json.dumps(message),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


def run_case(bench: Bench, case: Case) -> dict[str, list[Reading]]:
    """Readings of everyone, by name, taken in turns."""
    options = bench.options
    generator = bench.generators / case.generator
    with ExitStack() as stack:
        ours = [bench.start(stack, bench.ours, case.generator)]
        both = ours
        if options.both == "processes":
            both = [bench.start(stack, bench.ours, case.generator) for _ in range(options.batches)]
        turns: dict[str, Callable[[], Reading]] = {
            "generator": lambda: run_alone(generator, bench.scratch, case.count, SEED, {}),
            "tuned": lambda: run_alone(generator, bench.scratch, case.count, SEED, TUNING),
            "ours": lambda: bench.measure(case, ours, 1),
            "both": lambda: bench.measure(case, both, options.batches),
        }
        if bench.predecessor:
            theirs = [bench.start(stack, bench.predecessor, case.generator)]
            turns["predecessor"] = lambda: bench.measure(case, theirs, 1)
        readings: dict[str, list[Reading]] = {name: [] for name in turns}
        for _ in range(options.repetitions):
            for name, take in turns.items():
                readings[name].append(bench.when_quiet(take))
    return readings


def run_memory(bench: Bench, weight: str, generator: str) -> dict[str, dict[int, Reading]]:
    """One batch of each size in a fresh process, its memory sampled: {who: {size: reading}}."""
    found: dict[str, dict[int, Reading]] = {}
    for handler in filter(None, (bench.ours, bench.predecessor)):
        for count in (bench.options.samples, bench.options.memory_samples):
            case = Case(weight, generator, "files", max(bench.options.delays), count)
            with ExitStack() as stack:
                side = bench.start(stack, handler, generator)
                found.setdefault(handler.name, {})[count] = bench.measure(case, [side], 1, memory=True)
    return found


@contextmanager
def prepare(options: argparse.Namespace) -> Iterator[Bench]:
    """A scratch folder with the generators in it, the fake AWS, and both handlers."""
    with tempfile.TemporaryDirectory(prefix="datafactory-bench-") as folder, ExitStack() as stack:
        scratch = Path(folder).resolve()
        for name in {getattr(options, weight) for weight in options.weights}:
            source = options.generators.resolve() / name
            copytree(
                source,
                scratch / "generators" / name,
                ignore=ignore_patterns(".git", "__pycache__", "samples"),
            )
        if not options.own_python and (options.generators / LOCK).is_file():
            shutil.copy(options.generators / LOCK, scratch / "generators")
            (scratch / "generators" / INSTALLED).symlink_to((options.generators / INSTALLED).resolve())
        ours = Handler("ours", options.checkout.resolve(), "lambda_worker.handler")
        predecessor = options.predecessor and Handler(
            "predecessor", options.predecessor.resolve(), "vbvrdatafactory.lambda_handler.handler"
        )
        server = stack.enter_context(fake_aws(scratch / "cloud"))
        yield Bench(options, scratch, scratch / "generators", server, ours, predecessor or None)


def run(options: argparse.Namespace) -> dict[str, object]:
    """Measure everything; the tables are printed and the readings returned."""
    cases, memory = [], []
    with prepare(options) as bench:
        for weight in options.weights:
            generator = getattr(options, weight)
            for delay in options.delays:
                for output_format in options.formats:
                    case = Case(weight, generator, output_format, delay, options.samples)
                    print(f"{case} …", file=sys.stderr)
                    cases.append((case, run_case(bench, case)))
        for weight in options.memory:
            print(f"memory, {weight} …", file=sys.stderr)
            memory.append((weight, run_memory(bench, weight, getattr(options, weight))))
    print_tables(cases, memory)
    return {
        "machine": {"processors": os.cpu_count(), "system": platform.platform(), "python": sys.version},
        "options": {name: str(value) for name, value in vars(options).items()},
        "cases": [
            {**asdict(case), **{who: [_plain(reading) for reading in taken] for who, taken in found.items()}}
            for case, found in cases
        ],
        "memory": [
            {
                "weight": weight,
                **{who: {n: _plain(r) for n, r in sizes.items()} for who, sizes in found.items()},
            }
            for weight, found in memory
        ],
    }


def _plain(reading: Reading) -> dict[str, object]:
    return {name: value for name, value in asdict(reading).items() if name != "digests"}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--predecessor", type=Path, help="a checkout of Video-Reason/VBVR-DataFactory")
    add("--checkout", type=Path, default=ROOT, help="the checkout whose worker is ours (default: this one)")
    add(
        "--generators", type=Path, default=ROOT / "generators", help="folder with a folder for each generator"
    )
    add("--own-python", action="store_true", help="run generators with this Python, as without their lock")
    for weight, name in _FIRST_PARTY.items():
        add(f"--{weight}", default=name, metavar="NAME", help="default: %(default)s")
    add("--weights", nargs="+", choices=_FIRST_PARTY, default=list(_FIRST_PARTY))
    add("--samples", type=int, default=25, help="in a batch (default: %(default)s)")
    add("--delays", type=int, nargs="+", default=[30], metavar="MS", help="of each request (default: 30)")
    add("--formats", nargs="+", choices=("files", "tar"), default=["files", "tar"])
    add("--repetitions", type=int, default=1, help="of each measurement (default: %(default)s)")
    add("--both", choices=("records", "processes"), default="records", help="how batches come side by side")
    add("--batches", type=int, default=2, help="side by side (default: %(default)s)")
    add("--memory", nargs="*", choices=_FIRST_PARTY, default=["light"], help="weights to read memory of")
    add("--memory-samples", type=int, default=100, help="in the large batch (default: %(default)s)")
    add("--tries", type=int, default=1, help="at a reading, while others use the machine (default: 1)")
    add("--wait", type=float, default=0, help="seconds for a quiet moment before a reading (default: 0)")
    add(
        "--quiet", type=float, default=0.05, help="share of the machine others may use (default: %(default)s)"
    )
    add("--json", type=Path, help="write every reading here")
    return parser


def main() -> None:
    options = arguments().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    try:
        results = run(options)
    except BenchError as error:
        sys.exit(str(error))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
