"""Small releases as `datafactory release build` leaves them, with real pictures and videos."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import polars as pl

from vbvrdatafactory.core.content import FileContent, content_digest, metadata_digest
from vbvrdatafactory.core.contract import FINAL_FRAME, FIRST_FRAME, METADATA, PROMPT, VIDEO
from vbvrdatafactory.release.layout import COLUMNS, MANIFEST, MEMBERS, TABLE, member
from vbvrdatafactory.release.manifest import Change, GeneratorShare, LeftOut, Release, ShardFile
from vbvrdatafactory.release.naming import sample_key

# Six generators whose metadata disagrees about the type of a field.
CLASHING: dict[str, Any] = {
    "G-6_resize_object-data-generator": {"size": 3},
    "G-9_move.v2-data-generator": {"size": "large"},
    "O-41_nonogram_data-generator": {"size": [3, 4]},
    "O_48_sudoku_data_generator": {"size": {"rows": 9}, "grid": [[1, None], ["x"]]},
    "V-1_maze": {"size": None, "walls": 0.5},
    "V-2_draw": {},
}


class Sample(NamedTuple):
    """A sample of a release: its generator, index and split, and its files."""

    generator: str
    index: int
    split: str
    files: Mapping[str, bytes]

    @property
    def key(self) -> str:
        return sample_key(self.generator, self.index)


@cache
def video(shade: int, frames: int = 4, fps: int = 8) -> bytes:
    """A real MP4 of 32 x 32 pixels."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            container.mux(stream.encode(_frame(shade + number)))
        container.mux(stream.encode())
    return file.getvalue()


@cache
def png(shade: int) -> bytes:
    """A real PNG of 32 x 32 pixels."""
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = 32
        stream.pix_fmt = "rgb24"
        container.mux(stream.encode(_frame(shade)))
        container.mux(stream.encode())
    return file.getvalue()


def _frame(shade: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((32, 32, 3), shade % 250, np.uint8), format="rgb24")


def samples(generators: Mapping[str, Any] = CLASHING, each: int = 4) -> list[Sample]:
    """Samples of these generators, mixed; the last one of each is in the split `test`."""
    made = []
    for index in range(each):
        for number, (generator, metadata) in enumerate(generators.items()):
            shade = 7 * index + 31 * number
            files = {
                FIRST_FRAME: png(shade),
                FINAL_FRAME: png(shade + 3),
                PROMPT: f"Move the {generator} to place {index}: häuser".encode(),
                VIDEO: video(shade),
                METADATA: json.dumps({**metadata, "index": index}).encode(),
            }
            made.append(Sample(generator, index, "test" if index == each - 1 else "train", files))
    return made


def write(
    folder: Path,
    given: Sequence[Sample] | None = None,
    per_shard: int = 9,
    require: Sequence[str] = MEMBERS,
    **changed: Any,
) -> Release:
    """Write shards, metadata and the manifest of a release to `folder`.

    Args:
        folder: where to.
        given: its samples.
        per_shard: samples of a shard.
        require: files that its dataset asks for.
        changed: fields of the manifest that are others.
    """
    given = samples() if given is None else given
    shards, rows = [], list[dict[str, Any]]()
    for split, of_split in groupby(
        sorted(given, key=lambda sample: sample.split != "train"), key=lambda s: s.split
    ):
        listed = [*of_split]
        for number, start in enumerate(range(0, len(listed), per_shard)):
            path = f"data/{split}/{split}-{number:05d}.tar"
            part = listed[start : start + per_shard]
            rows += _write_shard(folder, path, part)
            data = (folder / path).read_bytes()
            shards.append(
                ShardFile(
                    path=path,
                    split=split,
                    samples=len(part),
                    bytes=len(data),
                    sha256=sha256(data).hexdigest(),
                )
            )
    schema = {name: _TYPES.get(name, pl.String) for name in COLUMNS}
    pl.DataFrame(rows, schema=schema).write_parquet(folder / TABLE)
    release = Release(**{**_manifest(given, shards, require), **changed})
    (folder / MANIFEST).write_text(release.model_dump_json(indent=1))
    return release


_TYPES: dict[str, Any] = {
    **dict.fromkeys(("index", "offset", "seed", "python_hash_seed", "salt", "start", "count"), pl.Int64),
    **dict.fromkeys(("frames", "width", "height"), pl.Int32),
    "fps": pl.Float64,
}


def _write_shard(folder: Path, path: str, part: Sequence[Sample]) -> list[dict[str, Any]]:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    rows = []
    with tarfile.open(folder / path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in part:
            rows.append(row_of(sample, path, tar.offset))
            for name in MEMBERS:
                if name in sample.files:
                    entry = tarfile.TarInfo(member(sample.key, name))
                    entry.size = len(sample.files[name])
                    tar.addfile(entry, io.BytesIO(sample.files[name]))
    return rows


def row_of(sample: Sample, shard: str, offset: int) -> dict[str, Any]:
    """The row of a sample in ``metadata.parquet``."""
    sums = {name: FileContent.of(data) for name, data in sample.files.items()}
    digest = content_digest(sums)
    has_video = VIDEO in sample.files
    return {
        "key": sample.key,
        "generator": sample.generator,
        "task": sample.generator.partition("_")[2],
        "index": sample.index,
        "split": sample.split,
        "prompt": sample.files[PROMPT].decode(errors="replace"),
        "shard": shard,
        "offset": offset,
        "digest": digest,
        "metadata_digest": metadata_digest(sums),
        "seed": 42,
        "python_hash_seed": 42,
        "salt": 0,
        "start": 0,
        "count": 25,
        "code": "c" * 64,
        "commit": "",
        "environment": "e" * 64,
        "fps": 8.0 if has_video else None,
        "frames": 4 if has_video else None,
        "width": 32 if has_video else None,
        "height": 32 if has_video else None,
        "parameters": sample.files.get(METADATA, b"").decode(),
        "param_hash": None,
        "group": digest,
    }


def _manifest(given: Sequence[Sample], shards: Sequence[ShardFile], require: Sequence[str]) -> dict[str, Any]:
    shares = []
    for generator in sorted({sample.generator for sample in given}):
        own = [sample for sample in given if sample.generator == generator]
        shares.append(
            GeneratorShare(
                generator=generator,
                task=generator.partition("_")[2],
                samples=len(own),
                distinct=len(own),
                code="c" * 64,
                commit="0123456789abcdef0123456789abcdef01234567",
                environment="e" * 64,
                example=own[0].key,
            )
        )
    splits = {split: sum(sample.split == split for sample in given) for split in ("train", "test")}
    return {
        "name": "Reasoning, small",
        "dataset": "small",
        "bucket": "a-bucket",
        "prefix": "",
        "seed": 7,
        "revision": 1,
        "license": "apache-2.0",
        "spec": {
            "dataset": "small",
            "generators": [s.generator for s in shares],
            "samples": 4,
            "require": list(require),
        },
        "splits": {split: count for split, count in splits.items() if count},
        "shards": tuple(shards),
        "generators": tuple(shares),
        "left_out": (LeftOut(generator="V-9_gone", samples=4, why="it failed"),),
        "changes": (
            Change(revision=1, at=datetime(2026, 2, 3, tzinfo=UTC), why="First release", samples=len(given)),
        ),
        "datafactory_version": "0.1.0",
    }
