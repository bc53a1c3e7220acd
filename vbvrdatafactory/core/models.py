"""What goes over the queue, and comes back: `TaskMessage` and `TaskResult`.

People also send messages by hand, so everything beyond the contract's six fields is optional. Unknown fields are refused: a
misspelt ``start_index`` would otherwise overwrite sample 0.
"""

import json
from hashlib import sha256
from itertools import product
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from vbvrdatafactory.core.contract import required_files
from vbvrdatafactory.core.names import BucketName, HashSeed, Prefix, SafeName
from vbvrdatafactory.core.ranges import IndexRange, compress
from vbvrdatafactory.core.schema import Versioned

MAX_BATCH = 1000
# More often nothing was ever made anew; a receipt's name has room for it.
MAX_SALT = 1_000_000
OutputFormat = Literal["files", "tar"]


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


class TaskResult(BaseModel):
    """The result of one delivery of one message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generator: str
    samples_uploaded: int
    sample_ids: list[str]
    tar_files: list[str] = Field(default_factory=list)
    files_uploaded: int = 0
    bytes_uploaded: int = 0
    seconds: float = 0.0
