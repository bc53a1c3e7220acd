"""Datasets with real pictures and videos, planted in a bucket as workers leave them."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import av
import numpy as np
import obstore
from obstore.store import ObjectStore

from tests.recorded import _record
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.content import FileContent, content_digest, metadata_digest
from vbvrdatafactory.core.contract import FINAL_FRAME, FIRST_FRAME, METADATA, PROMPT, VIDEO
from vbvrdatafactory.core.ranges import IndexRange, compress
from vbvrdatafactory.core.records import Profile, StoredArchive, StoredObject
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3.checksums import unquoted

_SIDE = 64


@cache
def frame(state: int) -> np.ndarray:
    """A picture of coloured tiles, another one for each state."""
    tiles = np.random.default_rng(state).integers(0, 256, (8, 8, 3), np.uint8)
    return tiles.repeat(_SIDE // 8, 0).repeat(_SIDE // 8, 1)


@cache
def png(state: int) -> bytes:
    """A real PNG."""
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = _SIDE
        stream.pix_fmt = "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(frame(state), format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


@cache
def mp4(state: int, fps: int = 12) -> bytes:
    """A real video of two frames."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        stream.width = stream.height = _SIDE
        stream.pix_fmt = "yuv420p"
        for picture in (frame(state), frame(state + 1)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def files_of(generator: str, state: int, metadata: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """The files of a sample."""
    return {
        FIRST_FRAME: png(state),
        FINAL_FRAME: png(state + 1),
        PROMPT: f"Solve puzzle {state} of {generator}: grün".encode(),
        VIDEO: mp4(state % 40),
        **({} if metadata is None else {METADATA: json.dumps(metadata).encode()}),
    }


def plant(
    store: ObjectStore,
    generator: str,
    samples: Mapping[int, Mapping[str, bytes]],
    *,
    seed: int = 42,
    code: str | None = "c0de",
    measured: bool = True,
) -> None:
    """Put samples with these files and receipts of them, ten samples a batch."""
    for start in sorted({index - index % 10 for index in samples}):
        run = IndexRange(start, start + 10)
        here = {index: samples[index] for index in range(*run) if index in samples}
        objects, digests, others = {}, {}, {}
        for index, files in here.items():
            folder = keys.sample_folder(keys.SampleFolder(generator, "t", index))
            objects[index] = tuple(
                StoredObject(name, len(data), unquoted(obstore.put(store, f"{folder}/{name}", data)["e_tag"]))
                for name, data in files.items()
            )
            sums = {name: FileContent.of(data) for name, data in files.items()}
            digests[index], others[index] = content_digest(sums), metadata_digest(sums)
        told = {} if not measured else {"profile": Profile(12.0, 2, _SIDE, _SIDE)}
        _record(
            store,
            generator,
            run,
            seed,
            task="t",
            objects=objects,
            digests=digests,
            generator_digest=code,
            metadata_digests={index: one for index, one in others.items() if one},
            stored=compress(here),
            **told,
        )


def plant_archive(store: ObjectStore, generator: str, samples: Mapping[int, Mapping[str, bytes]]) -> None:
    """Put an archive of one batch with these samples, and a receipt of it."""
    run, file = IndexRange(min(samples), max(samples) + 1), io.BytesIO()
    digests, others = {}, {}
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for index, files in samples.items():
            sums = {name: FileContent.of(data) for name, data in files.items()}
            digests[index], others[index] = content_digest(sums), metadata_digest(sums)
            for name, data in files.items():
                entry = tarfile.TarInfo(
                    f"{keys.task_root(generator, 't')}/{keys.sample_name('t', index)}/{name}"
                )
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    key = keys.archive(keys.Archive(generator, run))
    e_tag = unquoted(obstore.put(store, key, file.getvalue())["e_tag"])
    stored = StoredArchive(key.removeprefix(keys.QUESTIONS), run, len(file.getvalue()), e_tag)
    profile = Profile(12.0, 2, _SIDE, _SIDE)
    _record(
        store,
        generator,
        run,
        42,
        task="t",
        archives=(stored,),
        digests=digests,
        metadata_digests=others,
        profile=profile,
        generator_digest="c0de",
    )


def plant_many(
    store: ObjectStore, generators: Iterable[str], samples: int, *, metadata: bool = True, first: int = 0
) -> Plan:
    """A complete dataset of distinct samples; returns its plan."""
    names = [*generators]
    for number, name in enumerate(names):
        made = {
            index: files_of(
                name,
                first + 1000 * number + index,
                {"n": index, "param_hash": f"{index}"} if metadata else None,
            )
            for index in range(samples)
        }
        plant(store, name, made)
    return Plan(make_spec(generators=names, samples=samples, batch_size=10))
