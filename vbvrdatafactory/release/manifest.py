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
    """A sample that equals one of a benchmark.

    Args:
        key: the sample's.
        by: ``digest``, or ``first frame``.
        against: the benchmark's sample.
    """

    key: str
    by: str
    against: str


class Compared(_Part):
    """A benchmark that a release was compared with: its name, how many samples it has, and a digest of them."""

    name: str
    samples: int
    sha256: str


class Change(_Part):
    """What a revision changed, and why."""

    revision: int
    at: datetime
    why: str
    samples: int


class Release(Versioned):
    """A release.

    Args:
        name: its name.
        dataset, bucket, prefix: the dataset that it is of, and where that lies.
        seed: decides splits and order.
        revision: 1 as it was built; each change of it has the next.
        license: an identifier of SPDX, or what else the card says.
        spec: the `DatasetSpec` of the dataset, as JSON.
        splits: samples of each split.
        shards: all shards, by split and number.
        generators: what each generator has in it.
        left_out: what the dataset has, or should have, beside it.
        benchmarks: what its samples were compared with; of releases of before only `decontaminated` tells that there was anything.
        decontaminated: samples that were left out as they equal one of a benchmark.
        changes: what each revision changed, the first one too.
        datafactory_version: the version that built it.
        plan: digest of what was planned; a build that plans the same has nothing to do.
    """

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
    benchmarks: tuple[Compared, ...] = ()
    decontaminated: tuple[Removed, ...] = ()
    changes: tuple[Change, ...] = ()
    datafactory_version: str
    plan: str = ""
