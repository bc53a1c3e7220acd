"""The manifest of a release, ``release.json``: everything else follows from it, the ledger and the bucket."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vbvrdatafactory.core.schema import Versioned


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ShardFile(_Part):
    """A shard as it was written."""

    path: str
    split: str
    samples: int
    bytes: int
    sha256: str


class GeneratorShare(_Part):
    """What a generator has in the release; `example` is the key of the sample that the card shows."""

    generator: str
    task: str
    samples: int
    distinct: int
    code: str
    commit: str
    environment: str
    example: str


class LeftOut(_Part):
    """Samples of a generator that are not in the release, and why."""

    generator: str
    samples: int
    why: str


class Removed(_Part):
    """A sample that equals one of a benchmark."""

    key: str
    by: str
    against: str


class Change(_Part):
    """What a revision changed, and why."""

    revision: int
    at: datetime
    why: str
    samples: int


class Release(Versioned):
    """A release."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    dataset: str
    bucket: str
    prefix: str
    seed: int
    revision: int = Field(ge=1)
    license: str
    spec: dict[str, Any]
    splits: dict[str, int]
    shards: tuple[ShardFile, ...]
    generators: tuple[GeneratorShare, ...]
    left_out: tuple[LeftOut, ...] = ()
    decontaminated: tuple[Removed, ...] = ()
    changes: tuple[Change, ...] = ()
    datafactory_version: str
