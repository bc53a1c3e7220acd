"""The records that lie in the bucket: receipts, failures, starts, adoptions, and what is usual for a generator."""

from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.names import HashSeed, Text
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.schema import Time, Versioned
from vbvrdatafactory.core.usage import Repetition, Usage


class _Record(Versioned):
    """A record that the worker files."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MadeBy(BaseModel):
    """What ran a generator: its code, its environment, and what else its pictures depend on.

    Args:
        commit: the commit that its code was fetched at; empty where it was not fetched, or was changed since.
        tree: digest of all its files, where its code is as the generators' lock has it; else empty.
        environment: digest of its environment; empty where the worker's own Python ran it.
        python: the version of the environment's Python, as in ``3.11``.
        libraries: versions of the environment's distributions, by name.
        fonts: digest of the system's fonts; empty where it has none.
        worker: version of the worker, digest of its code, and of its image where that is known; empty in older receipts.
    """

    # A record grows, wherever in it.
    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str = ""
    tree: str = ""
    environment: str = ""
    python: str = ""
    libraries: dict[str, str] = Field(default_factory=dict)
    fonts: str = ""
    worker: str = ""


class StoredObject(NamedTuple):
    """An object as the bucket took it.

    Args:
        name: the last part of its key.
        size: in bytes.
        e_tag: what PutObject returned, without quotes. It is compared, never read: it need not be an MD5.
    """

    name: str
    size: int
    e_tag: str


class StoredArchive(NamedTuple):
    """An archive as the bucket took it: its key below ``questions/``, the samples in it, size and ETag."""

    name: str
    indices: IndexRange
    size: int
    e_tag: str


class Profile(NamedTuple):
    """A video's: frames a second, frames in all, width and height in pixels."""

    fps: float
    frames: int
    width: int
    height: int


class BandEnd(BaseModel):
    """How much a picture differs from the end of a video, in samples of one generator; 0 to 255.

    Args:
        within_median, within_most: from that of its own sample; outliers left out.
        across_tenth, across_median: from those of other samples: the tenth part of them differs less than the first.
        limit: a sample's own may differ so much.
        is_held: whether samples are held to it; not where own ones differ as much as others.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    within_median: float
    within_most: float
    across_tenth: float
    across_median: float
    limit: float
    is_held: bool


class Band(BaseModel):
    """What is usual for samples of one generator, as some of them showed.

    Args:
        samples: how many showed it.
        start: the video's first frame and ``first_frame.png``; None where that was not to be compared.
        end: its last frame and ``final_frame.png``.
        same_size: whether video and pictures have one size.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    samples: int
    start: BandEnd | None = None
    end: BandEnd | None = None
    same_size: bool = True


class BandRecord(_Record):
    """The band of a generator's code, by the first samples that were made with it."""

    generator: str
    code: str
    band: Band
    made_at: datetime


class Picture(BaseModel):
    """A small picture in a failure record: of which sample, what it shows, and a JPEG, base64."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sample_index: int
    shows: str = Field(max_length=100)
    jpeg: str = Field(max_length=40_000)


class Receipt(_Record):
    """The worker's record of a successful batch: what it stored, and how that was made; not that it still exists."""

    message: TaskMessage
    seed: int
    # Older receipts don't have it: it was 0 for all of them.
    python_hash_seed: HashSeed = Field(default=0, description="PYTHONHASHSEED of the run")
    task: str = Field(default="", description="The task that the samples' names begin with")
    stored: list[IndexRange]
    digests: dict[int, str] = Field(
        default_factory=dict,
        description="Content digest of each stored sample, by index; older ones have none",
    )
    metadata_digests: dict[int, str] = Field(
        default_factory=dict, description="Digest of each sample's other files, where it has any"
    )
    objects: dict[int, tuple[StoredObject, ...]] = Field(
        default_factory=dict,
        description="Objects of each stored sample; empty for archives, and in older ones",
    )
    archives: tuple[StoredArchive, ...] = ()
    tasks: dict[int, str] = Field(
        default_factory=dict, description="The task of samples whose task is not `task`"
    )
    profile: Profile | None = Field(default=None, description="Of the videos, where most are alike")
    profiles: dict[int, Profile] = Field(
        default_factory=dict, description="Of samples whose video is another"
    )
    result: TaskResult
    attempt: int
    generator_digest: str | None = Field(description="None where its code was gone by then")
    made_by: MadeBy | None = Field(default=None, description="None in older receipts")
    usage: Usage | None = Field(default=None, description="What it used; None in older receipts")
    repetition: Repetition | None = Field(default=None, description="Where its message said to certify")
    finished_at: Time


class AdoptedObject(NamedTuple):
    """An object as `datafactory adopt` read it: its key, size and ETag."""

    key: str
    size: int
    e_tag: str


class SampleRun(BaseModel):
    """The run that made a sample, as the columns of the ledger have it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    receipt: str
    start: int
    count: int
    seed: int | None = None
    python_hash_seed: int | None = None
    salt: int = 0
    code: str | None = None
    commit: str | None = None
    tree: str | None = None
    environment: str | None = None
    python: str | None = None
    libraries: str | None = None
    fonts: str | None = None
    worker: str | None = None


class AdoptedSample(BaseModel):
    """One sample as `datafactory adopt` read it.

    Args:
        index: which it is.
        task: the task that its name begins with.
        digest: of its content.
        metadata_digest: of its other files; empty where it has none.
        objects: what it consists of.
        run: what made it, where an older receipt has the same digest; None where nobody knows.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    index: int
    task: str = ""
    digest: str
    metadata_digest: str = ""
    objects: tuple[AdoptedObject, ...]
    run: SampleRun | None = None


class Adoption(_Record):
    """Samples that were in the bucket without a record of what was stored, as they were when somebody adopted them."""

    generator: str
    samples: tuple[AdoptedSample, ...]
    adopted_at: datetime


class StartedRecord(_Record):
    """Who began an attempt, from the second on: a worker that is killed can write nothing after it.

    Args:
        attempt: which receive of the message it was.
        worker: the Lambda function, or host and process.
        log_stream: of the function's log group; empty outside of Lambda.
        started_at: when.
    """

    attempt: int
    worker: str
    log_stream: str = ""
    started_at: datetime


class FailureRecord(_Record):
    """Why one attempt at a batch failed; written before the message is reported as failed."""

    message: TaskMessage | None
    body: Text | None = Field(default=None, description="The message as it came, where it could not be read")
    seed: int | None = None
    python_hash_seed: HashSeed | None = Field(
        default=0, description="As in a receipt; None where nothing ran"
    )
    cause: Cause
    detail: Text = Field(description="One line for a person")
    exit_code: int | None = None
    stderr_tail: Text = ""
    pictures: tuple[Picture, ...] = Field(default=(), description="Of some samples with wrong ground truth")
    stored: list[IndexRange] = Field(
        default_factory=list, description="What was whole and stored all the same"
    )
    attempt: int
    generator_digest: str | None = None
    made_by: MadeBy | None = None
    usage: Usage | None = Field(
        default=None, description="What it used; None where nothing ran, and in older records"
    )
    failed_at: Time
