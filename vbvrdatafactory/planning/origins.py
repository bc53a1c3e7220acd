"""Whether existing samples were made for the dataset's seed or for another, by their receipts.

All datasets of a bucket share its samples, so a whole sample may be of another seed than the requested one. A
receipt's name has the batch, salt and seed; where two receipts cover an index, the later one made it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vbvrdatafactory.core.keys import ReceiptKey
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.evidence import SuccessRecord
from vbvrdatafactory.planning.plan import DatasetSpec, Plan

_OWN, _OTHER = 1, 2
_IS_OTHER = bytes(1 if mark == _OTHER else 0 for mark in range(256))
_IS_UNKNOWN = bytes(0 if mark else 1 for mark in range(256))

# Further generators are only counted.
_SHOWN = 5


class Origin(NamedTuple):
    """The origin of one generator's existing samples within the plan.

    Args:
        other_seed: how many were made for another seed than the dataset's.
        without_receipt: how many have no receipt.
        example: a run of another seed; None where there is none.
    """

    other_seed: int = 0
    without_receipt: int = 0
    example: ReceiptKey | None = None


def is_planned(plan: Plan, run: ReceiptKey) -> bool:
    """Whether this run has the seed that the plan gives it; True where its seed is unknown."""
    return run.seed is None or run.seed == plan.batch(run.generator, run.indices, run.salt).seed


def origin_of(plan: Plan, present: bytes, runs: Iterable[SuccessRecord]) -> Origin:
    """The origin of one generator's existing samples.

    Args:
        plan: the dataset's plan.
        present: a byte for each index from 0 on, 1 where the sample is whole.
        runs: the generator's receipts; those without a seed are ignored.
    """
    planned, marks = IndexRange(0, len(present)), bytearray(len(present))
    known = [
        (made.at, not is_planned(plan, made.key), made.key) for made in runs if made.key.seed is not None
    ]
    # Of two in the same second the one of another seed counts: a dataset in doubt is not reported complete.
    known.sort(key=lambda run: run[:2])
    for _, is_other, run in known:
        if part := run.indices.clip(planned):
            marks[part.start : part.stop] = bytes([_OTHER if is_other else _OWN]) * part.size
    others = marks.translate(_IS_OTHER)
    example = next(
        (run for _, is_other, run in reversed(known) if is_other and _both(present, others, run.indices)),
        None,
    )
    return Origin(
        _both(present, others, planned), _both(present, marks.translate(_IS_UNKNOWN), planned), example
    )


def describe(origins: Mapping[str, Origin], wanted: DatasetSpec) -> str:
    """How many samples were made for another seed, and of which generators."""
    found = sorted(
        ((origin.other_seed, name) for name, origin in origins.items() if origin.other_seed), reverse=True
    )
    rows = ", ".join(f"{name}: {count:,}" for count, name in found[:_SHOWN])
    more = f", and {len(found) - _SHOWN:,} more generators" if len(found) > _SHOWN else ""
    total = sum(count for count, _ in found)
    than = _seed(wanted)
    return f"{total:,} samples in the bucket were made for another seed than {than} ({rows}{more})"


def next_move(origins: Mapping[str, Origin], described: Iterable[DatasetSpec]) -> str:
    """What to do about samples of another seed, naming the dataset in the bucket that has that seed.

    Args:
        origins: by generator; some have samples of another seed.
        described: the current and replaced specs in the bucket.
    """
    moves = "make the dataset in another bucket (another stack), or delete those samples and run again"
    examples = [origin.example for origin in origins.values() if origin.example]
    for spec in described:
        if any(run.generator in spec.generators and is_planned(Plan(spec), run) for run in examples):
            return f"seed {_seed(spec)} made them for dataset {spec.dataset!r}: ask for that one, {moves}"
    return moves


def _seed(spec: DatasetSpec) -> str:
    return f"{spec.seed}{' with --legacy-seeds' * (spec.seeds == 'legacy')}"


def _both(one: bytes | bytearray, other: bytes | bytearray, within: IndexRange) -> int:
    """At how many indices within a range both have a 1."""
    first, second = (int.from_bytes(marks[within.start : within.stop]) for marks in (one, other))
    return (first & second).bit_count()
