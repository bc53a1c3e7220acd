"""The plan of a dataset: every batch, in order. A value: it sends, lists and writes nothing.

A plan holds one entry for each generator and computes its batches lazily, so that a plan of a million batches takes the
same memory as one of ten.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vbvrdatafactory.core.contract import required_files
from vbvrdatafactory.core.defaults import DEFAULT_BATCH_SIZE, DEFAULT_SEED
from vbvrdatafactory.core.errors import SpecError
from vbvrdatafactory.core.generators_lock import Pins
from vbvrdatafactory.core.models import MAX_BATCH, OutputFormat, TaskMessage
from vbvrdatafactory.core.names import Prefix, SafeName
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.schema import Versioned
from vbvrdatafactory.core.seeds import Seeds, batch_seed, legacy_seed

Samples = Annotated[int, Field(ge=1, le=10_000_000)]
OnMismatch = Literal["refuse", "keep", "replace"]
Code = Literal["any", "pinned", "current"]
Distinctness = Literal["any", "required"]
BatchSize = Annotated[int, Field(ge=1, le=MAX_BATCH)]
# ``auto``: chosen for each generator by its certificate.
AnyBatchSize = BatchSize | Literal["auto"]
# The batch size of a generator whose size is to be chosen, as long as it has no certificate.
UNKNOWN_BATCH_SIZE = 32
# The greatest integer that JavaScript, and so a web form, represents exactly; Prefect stores none above 64 bits.
MAX_SEED = 2**53 - 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Override(_Frozen):
    """Values of one generator that differ from the dataset's; None means the dataset's value."""

    samples: Samples | None = None
    batch_size: BatchSize | None = None


class DatasetSpec(Versioned):
    """The specification of a dataset, as requested by a person.

    Args:
        dataset: the dataset's name; its spec and reports are stored under it.
        generators: names, each once.
        samples: samples of each generator.
        batch_size: samples of one message, 1 to 1000; ``auto`` to have it chosen for each generator by its certificate.
        seed: base of every batch's seed. `make_spec` takes none above `MAX_SEED`; one filed earlier is read.
        output_format: ``files`` or ``tar``.
        require: files every sample must have besides ``first_frame.png`` and ``prompt.txt``.
        overrides: samples and batch size of single generators.
        pins: code and environment of each generator when the dataset was planned, as the generators' lock had them.
        code: which code and environment make a sample right: ``pinned``, those in `pins`; ``current``, those of the
            generators' lock when it is looked at; ``any``. The seed always counts.
        on_mismatch: what a run does about samples that are there and not what is asked for: ``refuse`` to send
            anything, ``keep`` and count them, or ``replace`` them. So too where the lock has another code or
            environment than the pins.
        distinct: ``required`` to make samples again that have the content of another one of their generator; a few
            times, then they are counted. Only with files: an archive would hold the copy still.
        prefix: folders of the bucket below which samples and their records lie, such as ``train-v2``; empty for none. The
            spec itself and reports lie with those of the other datasets.
        seeds: ``hashed``, or ``legacy``: seed + number of the batch, as the predecessor computed them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: SafeName = "dataset"
    generators: tuple[SafeName, ...] = Field(min_length=1)
    samples: Samples
    batch_size: AnyBatchSize = DEFAULT_BATCH_SIZE
    seed: int = Field(default=DEFAULT_SEED, ge=0)
    output_format: OutputFormat = "files"
    require: tuple[str, ...] = ()
    overrides: dict[str, Override] = Field(default_factory=dict)
    seeds: Seeds = "hashed"
    pins: Pins = Field(default_factory=Pins)
    code: Code = "pinned"
    on_mismatch: OnMismatch = "refuse"
    distinct: Distinctness = "any"
    prefix: Prefix = ""

    @model_validator(mode="after")
    def _consistent(self) -> "DatasetSpec":
        twice = [name for name in dict.fromkeys(self.generators) if self.generators.count(name) > 1]
        if twice:
            raise ValueError(f"generator {twice[0]!r} is named twice; name each once")
        strangers = sorted(set(self.overrides) - set(self.generators))
        if strangers:
            raise ValueError(f"overrides name {strangers[0]!r}, which is not among the generators")
        required_files(self.require)
        if self.seeds == "legacy" and self.batch_size == "auto":
            raise ValueError("legacy seeds count batches, so batch_size can't be auto; take the size of then")
        if self.distinct == "required" and self.output_format != "files":
            raise ValueError(
                "distinct samples can be required of files only, as archives would keep the copies; take output_format files"
            )
        return self


class Batch(NamedTuple):
    """A planned run of one generator: the unit of work and of retry.

    Args:
        generator: its name.
        start: index of the first sample.
        size: how many samples.
        seed: the seed of the run, below 2**32.
    """

    generator: str
    start: int
    size: int
    seed: int

    @property
    def indices(self) -> IndexRange:
        return IndexRange(self.start, self.start + self.size)


class GeneratorPlan(NamedTuple):
    """The plan of one generator: `samples` samples in batches of `batch_size`."""

    generator: str
    samples: int
    batch_size: int

    @property
    def batch_count(self) -> int:
        return -(-self.samples // self.batch_size)

    def planned_range(self, index: int) -> IndexRange:
        """The planned batch that holds `index`."""
        start = index - index % self.batch_size
        return IndexRange(start, min(start + self.batch_size, self.samples))


class Plan:
    """Every batch of a dataset, in order: generators as named, indices ascending.

    Args:
        spec: the dataset.
        sizes: batch sizes of generators for which the spec names none.

    Attributes:
        automatic: those generators.
        sizes: their batch sizes, as far as they are chosen.
    """

    def __init__(self, spec: DatasetSpec, sizes: Mapping[str, int] = MappingProxyType({})) -> None:
        self.spec = spec
        self.sizes = sizes
        overrides = {name: spec.overrides.get(name, Override()) for name in spec.generators}
        self.automatic = tuple(
            name for name in spec.generators if spec.batch_size == "auto" and not overrides[name].batch_size
        )
        self.generators: Mapping[str, GeneratorPlan] = {
            name: _line(spec, name, overrides[name], sizes.get(name, UNKNOWN_BATCH_SIZE))
            for name in spec.generators
        }
        self._checked: dict[tuple[str, int], TaskMessage] = {}

    def __iter__(self) -> Iterator[Batch]:
        for line in self.generators.values():
            for start in range(0, line.samples, line.batch_size):
                yield self.batch(line.generator, line.planned_range(start))

    @property
    def batch_count(self) -> int:
        return sum(line.batch_count for line in self.generators.values())

    @property
    def sample_count(self) -> int:
        return sum(line.samples for line in self.generators.values())

    def batch(self, generator: str, indices: IndexRange, salt: int = 0) -> Batch:
        """The batch of `generator` with `indices`, with the seed that the plan computes for `salt`."""
        return Batch(generator, indices.start, indices.size, self._seed(generator, indices.start, salt))

    def _seed(self, generator: str, start: int, salt: int) -> int:
        """Only whole planned batches have legacy seeds; parts of them, and batches with a salt, have hashed ones."""
        if self.spec.seeds == "legacy" and not salt:
            ordinal, beside = divmod(start, self.generators[generator].batch_size)
            if not beside:
                return legacy_seed(self.spec.seed, ordinal)
        return batch_seed(self.spec.seed, generator, start, salt)

    def message(
        self, batch: Batch, *, salt: int = 0, only_indices: tuple[int, ...] | None = None
    ) -> TaskMessage:
        """The message of a batch."""
        if only_indices is not None:
            return self._message(batch, salt, only_indices)
        alike = self._checked.get((batch.generator, salt))
        if alike is None:
            alike = self._checked[batch.generator, salt] = self._message(batch, salt)
        return alike.moved(batch.start, batch.size, batch.seed)

    def messages(self, **like: object) -> Iterator[TaskMessage]:
        """The messages of all planned batches, in order; `like` are fields that replace those of the spec."""
        for line in self.generators.values():
            first = self.batch(line.generator, line.planned_range(0))
            alike = self._message(first).model_copy(update=like)
            for at in range(0, line.samples, line.batch_size):
                _, start, size, seed = self.batch(line.generator, line.planned_range(at))
                yield alike.moved(start, size, seed)

    def _message(
        self, batch: Batch, salt: int = 0, only_indices: tuple[int, ...] | None = None
    ) -> TaskMessage:
        return TaskMessage(
            type=batch.generator,
            num_samples=batch.size,
            start_index=batch.start,
            seed=batch.seed,
            output_format=self.spec.output_format,
            dataset=self.spec.dataset,
            salt=salt,
            only_indices=only_indices,
            require=self.spec.require,
            output_prefix=self.spec.prefix or None,
            # Written by a worker that does not know prefixes, they would lie among another dataset's.
            schema_version=2 if self.spec.prefix else 1,
        )


def _line(spec: DatasetSpec, generator: str, override: Override, chosen: int) -> GeneratorPlan:
    samples = override.samples or spec.samples
    size = override.batch_size or (chosen if spec.batch_size == "auto" else spec.batch_size)
    return GeneratorPlan(generator, samples, min(size, samples))


_KINDS = {"constrained-int", "int", "literal['auto']"}


def make_spec(**fields: object) -> DatasetSpec:
    """A validated `DatasetSpec`.

    Raises:
        SpecError: with the first invalid value, in one line.
    """
    try:
        spec = DatasetSpec.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        # Of a value that may be of several kinds, the kinds are not named.
        where = ".".join(str(part) for part in first["loc"] if str(part) not in _KINDS)
        what = first["msg"].removeprefix("Value error, ")
        shown = f"{where}={first['input']!r}: " if where else ""
        raise SpecError(f"{shown}{what}") from error
    if spec.seed > MAX_SEED:
        raise SpecError(f"seed={spec.seed}: seeds go to {MAX_SEED}; take a smaller one")
    return spec
