"""Reads a release as its users do, in a process that can open no connection: with `webdataset`, `datasets` and `mlcroissant`.

Each function here is called in a process of a pool that `start` has prepared.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from vbvrdatafactory.core.content import FileContent
from vbvrdatafactory.core.contract import METADATA, PROMPT
from vbvrdatafactory.driver.release_scan import Scan, scan
from vbvrdatafactory.driver.release_table import rows_of
from vbvrdatafactory.release.layout import CROISSANT, EXPORTED, MEMBERS, TABLE, parquet_path
from vbvrdatafactory.release.shard_rules import Scanned, compare
from vbvrdatafactory.release.traps import Finding, Trap

# A table that is larger is not read as Croissant's records: mlcroissant holds it whole in memory.
MOST_BYTES_OF_RECORDS = 256 * 1024 * 1024
_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
# A program that is called has no such hook; mlcroissant calls git where a description says so.
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")
_LONGEST_ERROR = 300
_ROWS_OF_EXPORT = 64


class Expected(NamedTuple):
    """A shard as the manifest has it; `number` among the `of` shards of its split."""

    path: str
    split: str
    samples: int
    bytes: int
    sha256: str
    number: int
    of: int


class ShardResult(NamedTuple):
    """What is wrong with a shard, how many samples it has, and the types of the fields of their metadata."""

    findings: list[Finding]
    samples: int
    fields: dict[str, set[str]]


def start() -> None:
    """Deny connections in this process for good, and keep what libraries cache out of the user's folders."""
    cached = tempfile.mkdtemp(prefix="datafactory-check-")
    os.environ.update(
        HF_HUB_OFFLINE="1",
        HF_DATASETS_OFFLINE="1",
        HF_HOME=cached,
        CROISSANT_CACHE=cached,
        HF_HUB_DISABLE_TELEMETRY="1",
    )
    sys.addaudithook(_deny)


def _deny(event: str, arguments: tuple[object, ...]) -> None:
    if event in _PROGRAMS:
        raise PermissionError(f"a release must be read without other programs: {arguments[:1]}")
    if event in _NETWORK:
        raise ConnectionRefusedError(f"a release must be read without a network: {event} {arguments[1:]}")


def check_shard(folder: Path, shard: Expected, required: tuple[str, ...], *, has_rows: bool) -> ShardResult:
    """Read one shard: its bytes and its rows, then with `webdataset`, then with `datasets`.

    Args:
        folder: the release's.
        shard: what the manifest says of it.
        required: files that every sample must have.
        has_rows: whether ``metadata.parquet`` can be read; without it samples are not compared with their rows.
    """
    try:
        found = scan(folder, shard.path, required)
    except OSError as error:
        return ShardResult([Finding(Trap.UNREADABLE_SHARD, shard.path, str(error))], 0, {})
    findings = [*found.findings, *_hash_problems(shard, found)]
    if has_rows:
        findings += compare(shard.path, shard.split, found.samples, rows_of(folder, shard.path))
    findings += _with_webdataset(folder, shard.path, found.samples)
    findings += _with_datasets(folder, shard, found.samples)
    findings += _exported(folder, shard.path, found.samples)
    return ShardResult(findings, len(found.samples), found.fields)


def _hash_problems(shard: Expected, found: Scan) -> Iterator[Finding]:
    size, digest = found.content
    if (size, digest.hex()) != (shard.bytes, shard.sha256):
        yield Finding(
            Trap.SHARD_HASH,
            shard.path,
            f"it has {size:,} bytes and SHA-256 {digest.hex()[:16]}…, not {shard.bytes:,} and {shard.sha256[:16]}…",
        )
    if len(found.samples) != shard.samples:
        yield Finding(
            Trap.WRONG_COUNT, shard.path, f"it has {len(found.samples):,} samples, not {shard.samples:,}"
        )


def _with_webdataset(folder: Path, path: str, samples: list[Scanned]) -> Iterator[Finding]:
    import webdataset

    try:
        reader = webdataset.WebDataset(str(folder / path), shardshuffle=False, empty_check=False)
        read = [
            (
                sample["__key__"],
                {name: FileContent.of(data) for name, data in sample.items() if name[:2] != "__"},
            )
            for sample in reader
        ]
    except Exception as error:  # noqa: BLE001 - whatever it raises, users get
        yield Finding(Trap.UNREADABLE_SHARD, path, f"webdataset can't read it ({_short(error)})")
        return
    if read != [(sample.key, sample.files) for sample in samples]:
        what = f"webdataset reads {len(read):,} samples of {len(samples):,}, or other bytes"
        yield Finding(Trap.UNREADABLE_SHARD, path, what)


def _with_datasets(folder: Path, shard: Expected, samples: list[Scanned]) -> Iterator[Finding]:
    try:
        stream = _stream(folder, shard.split)
        if stream.num_shards != shard.of:
            what = f"datasets finds {stream.num_shards:,} shards of split {shard.split!r}, not {shard.of:,}"
            yield Finding(Trap.STREAMING, shard.path, what)
            return
        read = [(row["__key__"], _files_of(row)) for row in stream.shard(shard.of, shard.number)]
    except Exception as error:  # noqa: BLE001 - whatever it raises, users get
        yield Finding(Trap.STREAMING, shard.path, f"datasets can't stream it ({_short(error)})")
        return
    # Metadata comes back as another text of the same JSON.
    expected = [
        (sample.key, {name: content for name, content in sample.files.items() if name != METADATA})
        for sample in samples
    ]
    if read != expected:
        what = f"datasets yields {len(read):,} samples of {len(samples):,}, or other bytes"
        yield Finding(Trap.STREAMING, shard.path, what)


def _exported(folder: Path, path: str, samples: list[Scanned]) -> Iterator[Finding]:
    """How the shard's table with embedded files differs from the shard, where it was exported."""
    import pyarrow.parquet as pq

    table = parquet_path(path)
    if not (folder / table).is_file():
        return
    try:
        parts = pq.ParquetFile(folder / table).iter_batches(
            _ROWS_OF_EXPORT, columns=["key", "prompt", *EXPORTED]
        )
        read = [(row["key"], _embedded(row)) for part in parts for row in part.to_pylist()]
    except Exception as error:  # noqa: BLE001 - whatever it raises, users get
        yield Finding(Trap.EXPORT, table, f"it can't be read ({_short(error)})")
        return
    expected = [(s.key, {name: c for name, c in s.files.items() if name != METADATA}) for s in samples]
    if read != expected:
        yield Finding(Trap.EXPORT, table, f"its {len(read):,} samples are not the {len(samples):,} of {path}")


def _embedded(row: Mapping[str, Any]) -> dict[str, FileContent]:
    found = {name: FileContent.of(row[column]["bytes"]) for column, name in EXPORTED.items() if row[column]}
    return {**found, PROMPT: FileContent.of(row["prompt"].encode())}


@cache
def _stream(folder: Path, split: str) -> Any:  # noqa: ANN401 - datasets has no types
    """A split as users load it."""
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset(str(folder), split=split, streaming=True).decode(False)  # noqa: FBT003 - as its docs have it


def _files_of(row: Mapping[str, Any]) -> dict[str, FileContent]:
    found = {}
    for name in MEMBERS:
        value = row[name]
        if name == METADATA or value is None:
            continue
        found[name] = FileContent.of(value.encode() if isinstance(value, str) else value["bytes"])
    return found


def check_croissant(folder: Path) -> list[Finding]:
    """Validate ``croissant.json`` with `mlcroissant`, and read its records."""
    import mlcroissant

    try:
        dataset = mlcroissant.Dataset(jsonld=str(folder / CROISSANT))
        issues = dataset.metadata.ctx.issues
        findings = [
            Finding(Trap.CROISSANT, CROISSANT, " ".join(str(each).split())) for each in sorted(issues.errors)
        ]
        if (folder / TABLE).stat().st_size <= MOST_BYTES_OF_RECORDS:
            for _ in islice(dataset.records("samples"), 1):
                pass
    except Exception as error:  # noqa: BLE001 - whatever it raises, users get
        return [Finding(Trap.CROISSANT, CROISSANT, f"mlcroissant can't read it ({_short(error)})")]
    return findings


def _short(error: Exception) -> str:
    said = f"{type(error).__name__}: {error}" + (f": {error.__cause__}" if error.__cause__ else "")
    return " ".join(said.split())[:_LONGEST_ERROR]
