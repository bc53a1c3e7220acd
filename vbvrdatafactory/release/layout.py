"""The files of a release, and the columns of its ``metadata.parquet``.

::

    release.json                         the manifest
    data/{split}/{split}-{number}.tar    shards, as WebDataset has them
    metadata.parquet                     one row a sample
    README.md                            the card
    pictures/{key}.first_frame.png       what it shows of a sample of each generator, and its final frame
    croissant.json
    CHANGELOG.md                         what each revision changed and why
    exports/…                            further layouts
"""

import re

from vbvrdatafactory.core.contract import FINAL_FRAME, FIRST_FRAME, METADATA, PROMPT, VIDEO

MANIFEST = "release.json"
TABLE = "metadata.parquet"
CARD = "README.md"
CROISSANT = "croissant.json"
CHANGELOG = "CHANGELOG.md"
PICTURES = "pictures/"
SHARDS = "data/"
EXPORTS = "exports/"

_SHARD = re.compile(rf"{SHARDS}([A-Za-z0-9_]+)/([A-Za-z0-9_]+)-[0-9]{{5,}}\.tar")

# A sample's members in a shard, in this order; each has the key and a dot before it.
MEMBERS = (FIRST_FRAME, FINAL_FRAME, PROMPT, VIDEO, METADATA)

# What a shard's columns are to `datasets`. Metadata is JSON: types inferred from the first samples would not fit those
# of other generators.
FEATURES = {
    "__key__": "string",
    "__url__": "string",
    FIRST_FRAME: "image",
    FINAL_FRAME: "image",
    PROMPT: "string",
    VIDEO: "video",
    METADATA: "json",
}

# Columns of exported tables that hold a file, and which.
EXPORTED = {"first_frame": FIRST_FRAME, "final_frame": FINAL_FRAME, "video": VIDEO}

# Columns of ``metadata.parquet``, with what each is.
COLUMNS = {
    "key": "Name of the sample: its files in the shard are called so",
    "generator": "The program that made it",
    "task": "The task of its generator",
    "index": "Its number among the samples of its generator",
    "split": "The split that it belongs to",
    "prompt": "The instruction",
    "shard": "Path of the shard that holds it",
    "offset": "Where its first file begins in the shard, in bytes",
    "digest": "SHA-256 of its frames, prompt and video",
    "metadata_digest": "SHA-256 of its other files; empty where it has none",
    "seed": "Seed of the run that made it",
    "python_hash_seed": "PYTHONHASHSEED of that run",
    "salt": "How often its generator had failed at this place before",
    "start": "Index of the first sample of that run",
    "count": "Samples of that run",
    "code": "Digest of the generator's code",
    "commit": "Commit of the generator's code; empty where it was not fetched from a repository",
    "environment": "Digest of the environment that the generator ran in",
    "fps": "Frames a second of the video",
    "frames": "Frames of the video",
    "width": "Width of the video in pixels",
    "height": "Height of the video in pixels",
    "parameters": "What the generator says of the sample, as JSON",
    "param_hash": "Digest of the sample's parameters, where the generator gives one",
    "group": "Equal puzzles have the same; a group is wholly in one split",
}


def member(key: str, file: str) -> str:
    """Name of a sample's file in its shard.

    >>> member("O-41_nonogram-000007", "prompt.txt")
    'O-41_nonogram-000007.prompt.txt'
    """
    return f"{key}.{file}"


def picture(key: str, file: str) -> str:
    """Path of a picture of a sample on the card."""
    return f"{PICTURES}{member(key, file)}"


def is_shard_path(path: str, split: str) -> bool:
    """Whether a shard of `split` may be called so; a manifest may be a stranger's, and its paths are opened.

    >>> is_shard_path("data/train/train-00000.tar", "train"), is_shard_path("../train-00000.tar", "train")
    (True, False)
    """
    found = _SHARD.fullmatch(path)
    return found is not None and found[1] == found[2] == split


def parquet_path(shard: str) -> str:
    """The path of a shard's samples as an exported table.

    >>> parquet_path("data/train/train-00000.tar")
    'exports/parquet/train/train-00000.parquet'
    """
    return f"{EXPORTS}parquet/{shard.removeprefix(SHARDS).removesuffix('.tar')}.parquet"
