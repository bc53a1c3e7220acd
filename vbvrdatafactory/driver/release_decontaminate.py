"""Finds samples of a release that equal those of public benchmarks."""

import json
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import obstore
import polars as pl
from obstore.store import ObjectStore

from vbvrdatafactory.core.contract import FIRST_FRAME
from vbvrdatafactory.driver.release_benchmark import Benchmark
from vbvrdatafactory.driver.release_choice import ROWS, Choice
from vbvrdatafactory.driver.release_place import BUILD
from vbvrdatafactory.driver.release_pool import Context, Pool
from vbvrdatafactory.driver.release_samples import each_sample
from vbvrdatafactory.release.manifest import Removed
from vbvrdatafactory.release.naming import sample_key
from vbvrdatafactory.release.pictures import Looks, look_at
from vbvrdatafactory.s3 import reading

DIGEST, FRAME = "digest", "first frame"


class Equal(NamedTuple):
    """Samples that equal one of a benchmark: ``generator`` and ``index`` of each, and what they equal."""

    samples: pl.DataFrame
    removed: tuple[Removed, ...]


class _Part(NamedTuple):
    """A generator's rows of the ledger, and where the looks of the benchmarks are."""

    rows: Path
    looks: Path
    fingerprint: str


class _Found(NamedTuple):
    """Of samples by index, the number of the benchmark's picture that they equal."""

    generator: str
    equal: tuple[tuple[int, int], ...]


def find_equal(pool: Pool, scratch: Path, choice: Choice, benchmarks: Sequence[Benchmark]) -> Equal:
    """The samples that equal one of a benchmark, by their content or by their first frame.

    Args:
        pool: reads the first frames.
        scratch: a folder of this machine.
        choice: the samples.
        benchmarks: what to compare with; without any nothing is read.
    """
    digests = {digest: name for one in benchmarks for digest, name in one.digests.items()}
    names = [name for one in benchmarks for name in one.names]
    found: dict[tuple[str, int], Removed] = {}
    if names:
        looks = scratch / "looks.npz"
        bits, small = (
            np.concatenate([getattr(one.looks, name) for one in benchmarks]) for name in Looks._fields
        )
        np.savez(looks, bits=bits, small=small)
        fingerprint = sha256(bits.tobytes() + small.tobytes()).hexdigest()
        parts = [_Part(file, looks, fingerprint) for file in sorted(choice.rows.glob(ROWS))]
        for of_one in pool.run(_compare, parts):
            for index, at in of_one.equal:
                key = sample_key(of_one.generator, index)
                found[of_one.generator, index] = Removed(key=key, by=FRAME, against=names[at])
    if digests:
        same = pl.scan_parquet(choice.rows / ROWS).filter(pl.col("digest").is_in([*digests]))
        for generator, index, digest in same.select("generator", "index", "digest").collect().iter_rows():
            key = sample_key(generator, index)
            found[generator, index] = Removed(key=key, by=DIGEST, against=digests[digest])
    ordered = sorted(found)
    schema = choice.samples.select("generator", "index").schema
    samples = pl.DataFrame(ordered, schema=schema, orient="row")
    return Equal(samples, tuple(found[sample] for sample in ordered))


def _compare(context: Context, part: _Part) -> _Found:
    rows = pl.read_parquet(part.rows)
    generator = rows["generator"][0]
    fingerprint = sha256(f"{part.fingerprint}{rows.select('index', 'digest').rows()}".encode()).hexdigest()
    store, path = context.target.store(), f"{BUILD}benchmarks/{fingerprint}.json"
    equal = _known(store, path)
    if equal is None:
        looks, equal = _looks(part.looks), []
        for row, files in each_sample(context.store, context.target.scratch, rows, (FIRST_FRAME,)):
            look = look_at(files[FIRST_FRAME]) if FIRST_FRAME in files else None
            at = looks.find(look) if look else None
            if at is not None:
                equal.append((int(row["index"]), at))
        obstore.put(store, path, json.dumps(equal).encode())
    return _Found(generator, tuple(equal))


@lru_cache(maxsize=1)
def _looks(file: Path) -> Looks:
    with np.load(file) as held:
        return Looks(held["bits"], held["small"])


def _known(store: ObjectStore, path: str) -> list[tuple[int, int]] | None:
    """What an earlier build has found."""
    try:
        return [(index, at) for index, at in json.loads(reading.read(store, path).data)]
    except FileNotFoundError:
        return None
