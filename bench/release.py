"""Measures how fast a release is built, beside `tar` and beside webdataset's own writer, from the same files in one run.

    python -m bench.release                     5,000 samples, half a minute
    python -m bench.release --samples 100000    as the targets say; 2.4 GB of disk, minutes
    python -m bench.release --samples 20000 100000    also how much more memory five times as many samples take

files  small samples, five files each, in a folder as a bucket has them
ours   reads each sample, compares its digest, writes mixed shards, metadata and manifest; two processes
tar    `tar -cf` of the same files, in the order in which the disk has them: no mix, no digest, no metadata
wds    webdataset's ShardWriter in a loop that reads the same files in our order: no digest, no metadata

Everyone has a turn in each round. Processor time and memory are those of all processes of a turn, added up; they include the start of Python.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
import psutil

from bench.control import ROOT
from bench.measure import BenchError
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.content import FileContent, content_digest, metadata_digest
from vbvrdatafactory.core.contract import ALL_FIVE, FINAL_FRAME, FIRST_FRAME, METADATA, PROMPT, VIDEO
from vbvrdatafactory.driver.release import build_choice
from vbvrdatafactory.driver.release_build import Asked
from vbvrdatafactory.driver.release_choice import Choice
from vbvrdatafactory.driver.release_place import Place
from vbvrdatafactory.ledger.schema import SCHEMA
from vbvrdatafactory.planning.plan import make_spec
from vbvrdatafactory.release.choosing import LEDGER_COLUMNS, sizes, words

GENERATORS = tuple(f"G-{number}_bench" for number in range(20))
_SIZES = {FIRST_FRAME: 6000, FINAL_FRAME: 5000, PROMPT: 200, VIDEO: 9000}
_TASK, _SHARD_BYTES = "t", 100_000_000
_TURNS = ("ours", "tar", "wds")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, nargs="+", default=[5000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where files lie meanwhile")
    parser.add_argument("--turn", choices=_TURNS, help=argparse.SUPPRESS)
    parser.add_argument("--at", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        _take_turn(options.turn, options.at)
        return
    peaks = []
    for samples in options.samples:
        with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
            peaks.append(_measure(Path(scratch), samples, options.rounds))
    for samples, peak in zip(options.samples[1:], peaks[1:], strict=True):
        times = samples / options.samples[0]
        print(f"{times:g} times as many samples take {peak / peaks[0]:.2f} times the memory of ours.")


def _measure(folder: Path, samples: int, rounds: int) -> float:
    """Print what each takes; returns the most memory of ours, in bytes."""
    size = _write_files(folder, samples)
    found: dict[str, list[dict[str, float]]] = {turn: [] for turn in _TURNS}
    for _ in range(rounds):
        for turn, readings in found.items():
            readings.append(_in_a_process(turn, folder))
            shutil.rmtree(folder / "out")
    what = f"{samples:,} samples, {5 * samples:,} files, {size / 1e6:,.0f} MB"
    print(f"| {what} | seconds | samples/s | CPU s | peak MB | ours takes x | ours takes CPU x |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for turn, readings in found.items():
        wall, cpu, peak = (median(reading[name] for reading in readings) for name in ("wall", "cpu", "peak"))
        times, more = (
            median(ours[name] / other[name] for ours, other in zip(found["ours"], readings, strict=True))
            for name in ("wall", "cpu")
        )
        figures = (
            f"{wall:.1f} | {samples / wall:,.0f} | {cpu:.1f} | {peak / 1e6:,.0f} | {times:.2f} | {more:.2f}"
        )
        print(f"| {turn} | {figures} |")
    print()
    return median(reading["peak"] for reading in found["ours"])


def _in_a_process(turn: str, folder: Path) -> dict[str, float]:
    """One turn: wall time, processor time, and the most memory that its processes had at once."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "bench.release", "--turn", turn, "--at", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    peak, stop = [0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, stop))
    watcher.start()
    told, _ = process.communicate()
    stop.set()
    watcher.join()
    if process.returncode:
        raise BenchError(f"the turn of {turn} ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": float(json.loads(told)["wall"]), "cpu": cpu, "peak": float(peak[0])}


def _watch(pid: int, peak: list[int], stop: threading.Event) -> None:
    root = psutil.Process(pid)
    while not stop.wait(0.1):
        used = 0
        try:
            for process in (root, *root.children(recursive=True)):
                used += process.memory_info().rss
        except psutil.Error:
            continue
        peak[0] = max(peak[0], used)


def _take_turn(turn: str, folder: Path) -> None:
    (folder / "out").mkdir()
    started = time.perf_counter()
    {"ours": _ours, "tar": _tar, "wds": _wds}[turn](folder)
    print(json.dumps({"wall": time.perf_counter() - started}))


def _ours(folder: Path) -> None:
    choice = Choice(pl.read_parquet(folder / "samples.parquet"), folder / "rows", (), _about())
    asked = Asked("bench", 1, "cc0-1.0", {"test": 0.05}, _SHARD_BYTES, 2)
    spec = make_spec(generators=GENERATORS, samples=1)
    now = datetime(2026, 1, 15, tzinfo=UTC)
    done = build_choice(choice, spec, "bench", asked, Place(folder / "bucket"), Place(folder / "out"), now)
    if sum(done.release.splits.values()) != choice.samples.height:
        raise BenchError("samples are missing")


def _tar(folder: Path) -> None:
    subprocess.run(
        [shutil.which("tar") or "tar", "-cf", folder / "out" / "all.tar", "-C", folder / "bucket", "."],
        check=True,
    )


def _wds(folder: Path) -> None:
    import webdataset  # noqa: PLC0415 - only here

    order = pl.read_parquet(folder / "samples.parquet").sample(fraction=1, shuffle=True, seed=1)
    pattern = str(folder / "out" / "shard-%05d.tar")
    with webdataset.ShardWriter(pattern, maxsize=_SHARD_BYTES, verbose=0) as sink:
        for generator, index in order.select("generator", "index").iter_rows():
            where = folder / "bucket" / keys.sample_folder(keys.SampleFolder(generator, _TASK, index))
            files = {name: (where / name).read_bytes() for name in ALL_FIVE}
            sink.write({"__key__": f"{generator}-{index:06d}", **files})


def _about() -> dict[str, dict[str, str]]:
    return {name: {"task": _TASK, "code": "c", "commit": "", "environment": ""} for name in GENERATORS}


def _write_files(folder: Path, samples: int) -> int:
    """Write the samples, and what the ledger says of them; returns their bytes."""
    (folder / "rows").mkdir()
    parts, total = [], 0
    for number, generator in enumerate(GENERATORS):
        of_each = samples // len(GENERATORS) + (number < samples % len(GENERATORS))
        written = [_write_sample(folder / "bucket", generator, index) for index in range(of_each)]
        total += sum(one["size"] for row in written for one in row["objects"])
        rows = pl.DataFrame(written, schema=SCHEMA).select(LEDGER_COLUMNS)
        rows.write_parquet(folder / "rows" / f"{number:06d}.parquet")
        parts.append(
            rows.select(
                pl.col("generator").cast(pl.Enum(GENERATORS)),
                "index",
                words(rows, "digest").alias("content"),
                words(rows, "metadata_digest").alias("other"),
                sizes(rows).alias("bytes"),
            )
        )
    pl.concat(parts).write_parquet(folder / "samples.parquet")
    os.sync()
    return total


def _write_sample(bucket: Path, generator: str, index: int) -> dict[str, Any]:
    folder = keys.sample_folder(keys.SampleFolder(generator, _TASK, index))
    (bucket / folder).mkdir(parents=True)
    seed = sha256(f"{generator} {index}".encode()).digest()
    files = {name: (seed * (size // len(seed) + 1))[:size] for name, size in _SIZES.items()}
    files[METADATA] = json.dumps({"parameters": {"n": index}, "param_hash": f"{index:016x}"}).encode()
    for name, data in files.items():
        (bucket / folder / name).write_bytes(data)
    sums = {name: FileContent.of(data) for name, data in files.items()}
    return {
        "generator": generator,
        "index": index,
        "task": _TASK,
        "digest": content_digest(sums),
        "metadata_digest": metadata_digest(sums),
        "objects": [
            {"key": f"{folder}/{name}", "size": len(data), "e_tag": ""} for name, data in files.items()
        ],
        "start": index,
        "count": 1,
        "seed": index,
        "salt": 0,
        "fps": 16.0,
        "frames": 48,
        "width": 512,
        "height": 512,
    }


if __name__ == "__main__":
    main()
