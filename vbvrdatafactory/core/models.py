"""The message and the records of the worker.

`TaskMessage` is a batch on the wire. People also send it by hand, so everything beyond the contract's six
fields is optional. Unknown fields are refused: a misspelt ``start_index`` would otherwise overwrite sample 0.
"""

import json
import re
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from itertools import product
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator

from vbvrdatafactory.core.contract import required_files
from vbvrdatafactory.core.ranges import IndexRange, compress
from vbvrdatafactory.core.schema import Time, Versioned
from vbvrdatafactory.core.usage import Repetition, Usage

MAX_BATCH = 1000
# More often nothing was ever made anew; a receipt's name has room for it.
MAX_SALT = 1_000_000
OutputFormat = Literal["files", "tar"]

# A generator's name is opaque, but it is the name of a folder and a part of a key.
_LONGEST_PREFIX = 200
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\- ]{0,199}")


def is_safe_name(name: str) -> bool:
    """Whether `name` is valid as the name of a folder and as one part of a key."""
    return bool(_SAFE_NAME.fullmatch(name)) and ".." not in name and not name.endswith((" ", "."))


def safe_name(name: str) -> str:
    """`name`, validated as the name of a folder and as one part of a key.

    Raises:
        ValueError: it has other characters, or is too long.
    """
    if not is_safe_name(name):
        raise ValueError(
            f"{name[:100]!r} is not a safe name: letters, digits, '.', '_', '-' and inner spaces, 200 at most"
        )
    return name


def safe_prefix(prefix: str) -> str:
    """`prefix`, validated as folders below which a dataset lies: without a slash at either end; empty for the bucket itself.

    Raises:
        ValueError: a part of it is no safe name, it is too long, or it begins as the bucket's own layout does.
    """
    parts = prefix.split("/") if prefix else []
    if not all(map(is_safe_name, parts)) or len(prefix) > _LONGEST_PREFIX:
        raise ValueError(
            f"{prefix[:_LONGEST_PREFIX]!r} is no prefix: safe names with '/' between them, {_LONGEST_PREFIX} characters at most"
        )
    if parts[:1] in (["questions"], ["_datafactory"]):
        raise ValueError(f"{prefix!r} lies within what has no prefix; take another one")
    return prefix


_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def is_bucket_name(name: str) -> bool:
    """Whether a bucket may be called so; anything else could be another path of the endpoint."""
    return bool(_BUCKET_NAME.fullmatch(name)) and ".." not in name


def _bucket_name(name: str) -> str:
    if not is_bucket_name(name):
        raise ValueError(f"{name[:100]!r} is not a valid bucket name: 3 to 63 of a-z, 0-9, '.' and '-'")
    return name


def _encodable(text: object) -> object:
    """Text that a record can hold: halves of surrogate pairs, which no UTF-8 has, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else text


SafeName = Annotated[str, AfterValidator(safe_name)]
Prefix = Annotated[str, AfterValidator(safe_prefix)]
BucketName = Annotated[str, AfterValidator(_bucket_name)]
# What a stranger said, kept as it was as far as UTF-8 can.
Text = Annotated[str, BeforeValidator(_encodable)]
HashSeed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]


class Cause(StrEnum):
    """Why a batch failed, in failure records, reports and retry decisions."""

    INVALID_MESSAGE = "invalid-message"
    UNKNOWN_GENERATOR = "unknown-generator"
    NO_ENVIRONMENT = "no-environment"
    MISSING_DEPENDENCY = "missing-dependency"
    CRASH = "crash"
    WRONG_COUNT = "wrong-count"
    TORN_SAMPLES = "torn-samples"
    WRONG_GROUND_TRUTH = "wrong-ground-truth"
    DEADLINE = "deadline"
    MEMORY = "memory"
    DISK = "disk"
    UPLOAD = "upload"
    ACCESS_DENIED = "access-denied"
    WORKER_LOST = "worker-lost"
    NEWER_SCHEMA = "newer-schema"

    @property
    def is_seeds_fault(self) -> bool:
        """Whether the generator may succeed with another seed and a smaller batch."""
        return self in _SEEDS_FAULT

    @property
    def is_transient(self) -> bool:
        """Whether a retry of the same batch may succeed; with any other cause it would fail again."""
        return self in _TRANSIENT


# Another worker may have the generator that this one lacks.
_TRANSIENT = {Cause.UPLOAD, Cause.WORKER_LOST, Cause.UNKNOWN_GENERATOR, Cause.NEWER_SCHEMA}
_SEEDS_FAULT = {
    Cause.CRASH,
    Cause.WRONG_COUNT,
    Cause.TORN_SAMPLES,
    Cause.WRONG_GROUND_TRUTH,
    Cause.DEADLINE,
    Cause.MEMORY,
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Record(Versioned):
    """A record that the worker files."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskMessage(Versioned):
    """The SQS message of a batch: ``num_samples`` samples of generator ``type`` from ``start_index`` on.

    The contract's fields are ``type`` … ``output_bucket``. ``only_indices`` replays a batch with the seed
    that made its neighbours and stores just those indices (absolute, within the batch). ``python_hash_seed``
    is set only to replay a run whose PYTHONHASHSEED was another than its seed gives. ``schema_version`` is sent only
    where it is not 1, so that a worker which does not know the field takes the message. It is 2 with an
    ``output_prefix``: a worker that does not know it would store the samples elsewhere. It is 3 with ``certify``: the
    generator is run again after the batch, to see whether it repeats itself.
    """

    SCHEMA_VERSION: ClassVar[int] = 3

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: SafeName = Field(description="Generator name")
    num_samples: int = Field(strict=True, ge=1, le=MAX_BATCH, description="Samples to generate")
    start_index: int = Field(default=0, strict=True, ge=0, lt=2**31, description="Index of the first sample")
    seed: int | None = Field(
        default=None, strict=True, ge=0, lt=2**32, description="Seed; None lets the worker choose"
    )
    output_format: OutputFormat = "files"
    output_bucket: BucketName | None = None
    dataset: SafeName | None = Field(default=None, description="Dataset whose plan holds this batch")
    salt: int = Field(
        default=0, strict=True, ge=0, le=MAX_SALT, description="How often the generator failed here before"
    )
    only_indices: tuple[Annotated[int, Strict()], ...] | None = Field(
        default=None, min_length=1, max_length=MAX_BATCH, description="Store just these"
    )
    require: tuple[str, ...] = Field(default=(), description="Files required besides the contract's two")
    python_hash_seed: HashSeed | None = Field(default=None, description="Where it is not the seed's own")
    output_prefix: Prefix | None = Field(default=None, description="Folders that all is stored below")
    certify: Annotated[bool, Strict()] = Field(
        default=False, description="Also see whether it repeats itself"
    )
    # A field of the predecessor's messages, false by default; some may still be queued.
    dedup: Literal[False] = Field(default=False, exclude=True, repr=False)

    @model_validator(mode="after")
    def _within_batch(self) -> "TaskMessage":
        outside = [i for i in self.only_indices or () if not self.start_index <= i < self.indices.stop]
        if outside:
            raise ValueError(f"only_indices holds {outside[0]}, outside the batch {self.indices}")
        required_files(self.require)
        return self

    @classmethod
    def parse(cls, text: str) -> "TaskMessage":
        """The message in a body, as the worker takes it: of what is said twice nobody knows which was meant.

        Raises:
            ValueError: it is no message; a `ValidationError` names the field.
            NewerSchemaError: a newer version sent it.
        """
        try:
            data = json.loads(text, object_pairs_hook=_said_once, parse_constant=_no_number)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        return cls.model_validate(data)

    @property
    def indices(self) -> IndexRange:
        """The indices of the batch, including those that are not to be stored."""
        return IndexRange(self.start_index, self.start_index + self.num_samples)

    @property
    def wanted(self) -> list[IndexRange]:
        """The indices that are to be stored."""
        return compress(self.only_indices) if self.only_indices else [self.indices]

    @property
    def group(self) -> str:
        """The generator, as SQS takes a message group: at most 128 characters, no space.

        In a standard queue groups make SQS fair between them: one slow generator does not starve the others.
        """
        is_valid = len(self.type) <= 128 and " " not in self.type
        return self.type if is_valid else sha256(self.type.encode()).hexdigest()[:32]

    def to_json(self) -> str:
        """The message body: what differs from the defaults, plus the contract's fields that are set."""
        return self.model_dump_json(
            exclude_none=True,
            exclude=_UNSET[bool(self.salt), bool(self.require), self.schema_version == 1, self.certify],
        )

    def certifying(self) -> "TaskMessage":
        """The same message, with the generator run again after it."""
        return self.model_copy(update={"certify": True, "schema_version": 3})

    @property
    def plain(self) -> "TaskMessage":
        """The same message without that: what is made is the same."""
        version = 2 if self.output_prefix else 1
        return self.model_copy(update={"certify": False, "schema_version": version}) if self.certify else self

    def moved(self, start_index: int, num_samples: int, seed: int) -> "TaskMessage":
        """The same message for other indices of its generator, without validation."""
        return self.model_copy(update={"start_index": start_index, "num_samples": num_samples, "seed": seed})


def _said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:100]!r} is said twice")
        found[name] = value
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


# What stays out of a message's body, by whether it has a salt, requires more, is of the first schema, and certifies.
_UNSET: dict[tuple[bool, bool, bool, bool], set[str]] = {
    (salted, requires, first, certifies): {
        name
        for name, is_left_out in (
            ("salt", not salted),
            ("require", not requires),
            ("schema_version", first),
            ("certify", not certifies),
        )
        if is_left_out
    }
    for salted, requires, first, certifies in product((False, True), repeat=4)
}


class TaskResult(_Frozen):
    """The result of one delivery of one message."""

    generator: str
    samples_uploaded: int
    sample_ids: list[str]
    tar_files: list[str] = Field(default_factory=list)
    files_uploaded: int = 0
    bytes_uploaded: int = 0
    seconds: float = 0.0


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
