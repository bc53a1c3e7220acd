"""``metadata.parquet``: its columns, and the row of a sample."""

import io
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import polars as pl

from vbvrdatafactory.core.content import FileContent, metadata_digest
from vbvrdatafactory.core.contract import METADATA, PROMPT, QUESTION_METADATA, VIDEO
from vbvrdatafactory.core.parsing import parse_json
from vbvrdatafactory.core.records import Profile
from vbvrdatafactory.release.layout import COLUMNS

_TYPES: dict[str, Any] = {
    **dict.fromkeys(("index", "offset", "seed", "python_hash_seed", "salt", "start", "count"), pl.Int64),
    **dict.fromkeys(("frames", "width", "height"), pl.Int32),
    "fps": pl.Float64,
}
SCHEMA = pl.Schema({name: _TYPES.get(name, pl.String) for name in COLUMNS})
_LONGEST_HASH = 200


class Parameters(NamedTuple):
    """What a generator says of a sample: as JSON, empty where it says nothing; and its hash, where it gives one."""

    text: str = ""
    param_hash: str | None = None


def read_parameters(files: Mapping[str, bytes]) -> Parameters:
    """The parameters in a sample's ``metadata.json``, or else ``question_metadata.json``; the hash of the first that has one.

    >>> read_parameters({"metadata.json": b'{"parameters": {"n": 3}, "param_hash": "ab"}'})
    Parameters(text='{"parameters": {"n": 3}, "param_hash": "ab"}', param_hash='ab')
    """
    told = Parameters()
    for name in (METADATA, QUESTION_METADATA):
        if name not in files:
            continue
        try:
            text = files[name].decode()
            found = parse_json(text)
            # Not what no reader of Parquet or JSON takes: half a surrogate pair, NaN.
            json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
        except ValueError:
            continue
        told = Parameters(told.text or text, told.param_hash or _hash_in(found))
    return told


def _hash_in(found: object) -> str | None:
    given = found.get("param_hash") if isinstance(found, dict) else None
    # A yes or a no, or nothing in brackets, is no hash.
    if given is None or isinstance(given, bool) or given in ("", [], {}):
        return None
    text = given if isinstance(given, str) else json.dumps(given, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _LONGEST_HASH else sha256(text.encode()).hexdigest()


def row_of(ledger: Mapping[str, Any], files: Mapping[str, bytes], offset: int) -> dict[str, Any]:
    """The row of a sample.

    Args:
        ledger: its row of the ledger, and ``key``, ``split``, ``shard`` and ``group``; or the row that a release has of it, whose
            ``parameters`` and ``param_hash`` stay where the files do not say them.
        files: its files by name.
        offset: where its first member begins in the shard.
    """
    parameters = read_parameters(files)
    found = {
        **ledger,
        "prompt": files.get(PROMPT, b"").decode(errors="replace"),
        "offset": offset,
        "metadata_digest": _metadata_digest(files, ledger["metadata_digest"]),
        "parameters": parameters.text or ledger.get("parameters") or "",
        "param_hash": parameters.param_hash or ledger.get("param_hash"),
    }
    if found["fps"] is None and VIDEO in files and (profile := profile_of(files[VIDEO])):
        found.update(profile._asdict())
    return {name: found[name] for name in COLUMNS}


def _metadata_digest(files: Mapping[str, bytes], recorded: str | None) -> str:
    """The digest of a sample's metadata, which in a release is its only other file; as recorded where it was so before.

    A sample may have both ``metadata.json`` and ``question_metadata.json``, or files that the contract does not know;
    receipts of before have no digest.
    """
    named = next((name for name in (METADATA, QUESTION_METADATA) if name in files), None)
    if named is None:
        return ""
    content = FileContent.of(files[named])
    first = metadata_digest({METADATA: content})
    if recorded != first and recorded == metadata_digest({QUESTION_METADATA: content}):
        return recorded
    return first


def profile_of(video: bytes) -> Profile | None:
    """Rate, frames and size of a video as its header says, for samples of workers that did not measure them."""
    import av  # noqa: PLC0415 - most samples were measured

    try:
        with av.open(io.BytesIO(video)) as container:
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            return Profile(float(rate or 0), stream.frames, stream.width, stream.height)
    except (av.FFmpegError, IndexError, ValueError):
        return None
