"""Measures the ledger: how much longer a look takes that proves content, and how long receipts take to be folded.

    python -m bench.ledger                       small, half a minute
    python -m bench.ledger --full                300 generators of 10,000 samples, 15 million keys, 120,000 receipts

verify  a listing alone against the same listing joined with the ledger of every sample (target: 1.5 times), taking turns,
        each turn in a process of its own; the bucket is `bench/fake_listing.py`, the ledger is read from files
fold    receipts, as the worker writes them, parsed and folded to Parquet; from memory
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.control import ROOT, FakeProcess, fake
from bench.fake_listing import FILES, Shape
from bench.measure import BenchError
from bench.tables import print_table
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import Receipt, StoredObject
from vbvrdatafactory.ledger.fold import fold, match
from vbvrdatafactory.ledger.listing import to_table
from vbvrdatafactory.ledger.rows import rows_of, table
from vbvrdatafactory.ledger.schema import Part, from_parquet, to_parquet
from vbvrdatafactory.ledger.states import find_states
from vbvrdatafactory.planning.contents import State
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.judging import Judge
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3.listing import Page, take_inventory

TARGET, TARGET_BYTES = 1.5, 1.5e9
_E_TAG, _BATCH = "9b2cf535f27731c974343645a3985328", 25


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turn", choices=["listing", "content"], help=argparse.SUPPRESS)
    parser.add_argument("--at", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        url, folder, generators, samples = options.at
        print(json.dumps(_turn(options.turn, url, Path(folder), Shape(int(generators), int(samples)))))
        return
    shape = Shape(300, 10_000) if options.full else Shape(20, 2000)
    _verify(shape, options.rounds)
    _fold(shape.samples, 120_000 if options.full else 4000)


def _verify(shape: Shape, rounds: int) -> None:
    with (
        tempfile.TemporaryDirectory() as scratch,
        fake("fake_listing", len(shape.names), shape.samples, 0) as bucket,
    ):
        _write_parts(shape, Path(scratch))
        found: dict[str, list[dict[str, Any]]] = {"listing": [], "content": []}
        for _ in range(rounds):
            for turn, readings in found.items():
                readings.append(_in_a_process(turn, bucket, Path(scratch), shape))
    ratio = median(
        content["wall"] / listing["wall"]
        for listing, content in zip(found["listing"], found["content"], strict=True)
    )
    rows = []
    for turn, readings in found.items():
        middle = sorted(readings, key=lambda reading: reading["wall"])[len(readings) // 2]
        times = f"{ratio:.2f} (target {TARGET})" if turn == "content" else "1"
        rows.append([turn, f"{middle['wall']:.1f}", f"{middle['peak'] / 1e6:.0f}", times])
    title = f"A look at {shape.keys:,} keys of {len(shape.names) * shape.samples:,} samples"
    print_table([title, "seconds", "peak MB", "times the listing"], rows)


def _in_a_process(turn: str, bucket: FakeProcess, folder: Path, shape: Shape) -> dict[str, Any]:
    where = [bucket.url, str(folder), str(len(shape.names)), str(shape.samples)]
    command = [sys.executable, "-m", "bench.ledger", "--turn", turn, "--at", *where]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(done.stderr)
    reading: dict[str, Any] = json.loads(done.stdout)
    expected = len(shape.names) * shape.samples if turn == "content" else shape.keys
    if reading["count"] != expected:
        raise BenchError(f"{turn}: {reading['count']:,} were counted of {expected:,}")
    return reading


def _turn(turn: str, url: str, folder: Path, shape: Shape) -> dict[str, Any]:
    """One look; of the listing alone how many keys there were, of content how many samples are right."""
    store = aws.bucket(Config(aws_endpoint_url=url, output_bucket="bench-bucket"))
    judge = Judge(Plan(make_spec(generators=shape.names, samples=shape.samples, batch_size=_BATCH)))
    inventory, right = Inventory(), []

    def prove(generator: str, pages: Sequence[Page]) -> None:
        part = from_parquet((folder / generator).read_bytes())
        whole = inventory[generator].present(IndexRange(0, shape.samples))
        states = find_states(generator, match([part.rows], to_table(pages)), whole, judge.of)
        right.append(states.count(State.RIGHT))

    started = time.perf_counter()
    take_inventory(store, inventory, on_objects=prove if turn == "content" else None)
    wall = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"wall": wall, "peak": peak, "count": sum(right) if right else inventory.key_count}


def _write_parts(shape: Shape, folder: Path) -> None:
    for generator in shape.names:
        plan = Plan(make_spec(generators=[generator], samples=shape.samples, batch_size=_BATCH))
        rows = (row for message in plan.messages() for row in rows_of("receipts/x", _receipt(message)))
        (folder / generator).write_bytes(to_parquet(Part(table(rows), frozenset({"receipts/x"}))))


def _receipt(message: TaskMessage) -> Receipt:
    """As the worker writes it, of samples as the fake bucket lists them."""
    indices = range(*message.indices)
    return Receipt(
        message=message,
        seed=message.seed or 0,
        task="fake",
        stored=[message.indices],
        digests={index: f"{index:064x}" for index in indices},
        metadata_digests={index: f"{index + 1:064x}" for index in indices},
        objects={
            index: tuple(StoredObject(name, 900 + index, _E_TAG) for name in FILES) for index in indices
        },
        result=TaskResult(generator=message.type, samples_uploaded=message.num_samples, sample_ids=[]),
        attempt=1,
        generator_digest="0" * 64,
        finished_at=datetime(2026, 1, 15, tzinfo=UTC),
    )


def _fold(samples: int, receipts: int) -> None:
    """Fold so many receipts, a generator at a time."""
    of_each = samples // _BATCH
    plan = Plan(make_spec(generators=["G-000_fake_task_data-generator"], samples=samples, batch_size=_BATCH))
    bodies = [_receipt(message).model_dump_json().encode() for message in plan.messages()]
    nothing = to_table([])
    started = time.perf_counter()
    for _ in range(receipts // of_each):
        rows = (
            row
            for number, body in enumerate(bodies)
            for row in rows_of(f"receipts/{number}", Receipt.model_validate_json(body))
        )
        folded = fold(Part(), match([table(rows)], nothing).rows, [f"receipts/{n}" for n in range(of_each)])
        data = to_parquet(folded)
    seconds = time.perf_counter() - started
    what = f"folding {receipts:,} receipts of {_BATCH} samples"
    figures = [f"{seconds:.1f}", f"{receipts / seconds:,.0f}", f"{len(data) / samples:.0f}"]
    print_table(["", "seconds", "receipts a second", "Parquet bytes a sample"], [[what, *figures]])


if __name__ == "__main__":
    main()
