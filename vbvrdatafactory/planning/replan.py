"""From gaps to messages: the batches to send so that exactly the missing samples are made.

- A whole planned batch that is missing is sent again, with its own seed.
- A hole in a batch that succeeded replays the run that made its neighbours and stores only the missing indices, so the
  lost sample is restored byte for byte.
- The rest of a batch that was lost half way is that batch again, storing only what is missing. It is not cut: its bytes
  may depend on its count.
- Where the generator itself failed, the missing indices get fresh samples: a new salt, in batches half the size.
- What is there with the content of another sample, where distinct ones are required, gets samples of the same batch
  under a salt that was not used there yet.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from vbvrdatafactory.core.keys import FailureKey, ReceiptKey
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange, compress, expand
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.core.seeds import python_hash_seed
from vbvrdatafactory.planning.evidence import Evidence, FailedAttempt, SuccessRecord
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.judging import is_planned
from vbvrdatafactory.planning.plan import Batch, GeneratorPlan, Plan

_Run = ReceiptKey | FailureKey
_NONE_READ: Mapping[ReceiptKey, Receipt] = MappingProxyType({})


def holes(
    plan: Plan, gap: Gap, evidence: Evidence, receipts: Mapping[ReceiptKey, Receipt] = _NONE_READ
) -> dict[ReceiptKey, tuple[IndexRange, ...]]:
    """For each successful run that covers missing samples: the ranges to replay it for.

    Runs whose replay has failed since are left out: their indices need fresh samples. So are runs of another seed than
    the dataset's; where a receipt's name does not have its seed, `receipts` may.
    """
    runs = _planned(plan, gap, evidence, receipts)
    missing = set(expand(gap.ranges)) - set(expand(gap.copies)) if runs else set()
    failed = {(f.key.indices, f.key.salt) for f in _seeds_fault(gap.generator, evidence)}
    found = {}
    for run in runs:
        hole = missing.intersection(range(*run.key.indices))
        if hole and (run.key.indices, run.key.salt) not in failed:
            found[run.key] = tuple(compress(hole))
            missing -= hole
    return found


class Replays(NamedTuple):
    """What is missing, apart from what runs that succeeded are made again for.

    Args:
        rest: the missing samples that no run is made again for.
        sizes: how many samples each run that is made again makes, of which just the missing ones are stored.
    """

    rest: Sequence[IndexRange] = ()
    sizes: Sequence[int] = ()


def replays(plan: Plan, gap: Gap, evidence: Evidence) -> Replays:
    """The runs that are made again to fill a gap, as far as names of receipts tell."""
    found = holes(plan, gap, evidence)
    if not found:
        return Replays(gap.ranges)
    filled = {index for hole in found.values() for index in expand(hole)}
    rest = compress(set(expand(gap.ranges)) - filled)
    return Replays(rest, tuple(key.indices.size for key in found))


def messages(
    plan: Plan, gap: Gap, evidence: Evidence, receipts: Mapping[ReceiptKey, Receipt]
) -> Iterator[TaskMessage]:
    """The messages that fill `gap`, in the order of their indices within replays and fresh batches.

    Args:
        plan: the dataset's plan.
        gap: the missing samples of one generator.
        evidence: that generator's receipts and failures.
        receipts: the receipts of the runs that `holes` returns; a hole without one gets fresh samples.
    """
    yield from _instead_of_copies(plan, gap, evidence)
    gap = Gap(gap.generator, gap.without(gap.copies).ranges)
    replayed: set[int] = set()
    for key, hole in holes(plan, gap, evidence, receipts).items():
        if receipt := receipts.get(key):
            yield _replay(plan, receipt, hole)
            replayed.update(expand(hole))
    line = plan.generators[gap.generator]
    failed = _by_planned_range(line, (failed.key for failed in _seeds_fault(gap.generator, evidence)))
    made = _by_planned_range(line, (run.key for run in _planned(plan, gap, evidence, receipts)))
    rest = compress(set(expand(gap.ranges)) - replayed) if replayed else gap.ranges
    parts = (part for run in rest for part in _planned_ranges(line, run))
    for planned_range, lacking in groupby(parts, key=lambda part: line.planned_range(part.start)):
        if planned_range.start in failed or planned_range.start in made:
            for part in lacking:
                yield from _fresh(plan, gap.generator, part, failed.get(planned_range.start, ()))
        else:
            yield _again(plan, plan.batch(gap.generator, planned_range), tuple(lacking))


def _instead_of_copies(plan: Plan, gap: Gap, evidence: Evidence) -> Iterator[TaskMessage]:
    """Messages for the samples that are there with the content of others."""
    if not gap.copies:
        return
    line = plan.generators[gap.generator]
    failures = (failed.key for failed in evidence.failures(gap.generator))
    runs = _by_planned_range(line, (*evidence.receipts(gap.generator), *failures))
    parts = (part for run in gap.copies for part in _planned_ranges(line, run))
    for planned_range, copies in groupby(parts, key=lambda part: line.planned_range(part.start)):
        salt = max((run.salt for run in runs.get(planned_range.start, ())), default=0) + 1
        batch = plan.batch(gap.generator, planned_range, salt)
        yield _again(plan, batch, tuple(copies), salt=salt)


def _planned(
    plan: Plan, gap: Gap, evidence: Evidence, receipts: Mapping[ReceiptKey, Receipt]
) -> list[SuccessRecord]:
    """The successful runs of the dataset's own seed, or of an unknown one, the latest first."""
    runs = []
    for run in evidence.runs(gap.generator):
        seed = receipts[run.key].seed if run.key in receipts else run.key.seed
        if is_planned(plan, run.key._replace(seed=seed)):
            runs.append(run)
    return runs


def _replay(plan: Plan, receipt: Receipt, hole: tuple[IndexRange, ...]) -> TaskMessage:
    made = receipt.message
    batch = Batch(made.type, made.start_index, made.num_samples, receipt.seed)
    message = _again(plan, batch, hole, salt=made.salt)
    if receipt.python_hash_seed == python_hash_seed(receipt.seed):
        return message
    return message.model_copy(update={"python_hash_seed": receipt.python_hash_seed})


def _again(plan: Plan, batch: Batch, lacking: tuple[IndexRange, ...], *, salt: int = 0) -> TaskMessage:
    """The batch again, storing only the missing indices."""
    only = None if lacking == (batch.indices,) else tuple(expand(lacking))
    return plan.message(batch, salt=salt, only_indices=only)


def _planned_ranges(line: GeneratorPlan, run: IndexRange) -> Iterator[IndexRange]:
    """`run` cut at the borders of planned batches."""
    at = run.start
    while at < run.stop:
        stop = min(run.stop, line.planned_range(at).stop)
        yield IndexRange(at, stop)
        at = stop


def _by_planned_range(line: GeneratorPlan, runs: Iterable[_Run]) -> defaultdict[int, list[_Run]]:
    """Runs by the start of each planned batch that they overlap."""
    found: defaultdict[int, list[_Run]] = defaultdict(list)
    for run in runs:
        steps = (*range(*run.indices, line.batch_size), run.indices.stop - 1)
        for start in {line.planned_range(index).start for index in steps}:
            found[start].append(run)
    return found


def _fresh(plan: Plan, generator: str, part: IndexRange, failures: Iterable[_Run]) -> Iterator[TaskMessage]:
    """`part` as one batch, or, where the generator failed in it, as smaller ones under the next salt."""
    there = [key for key in failures if key.indices.clip(part)]
    salt = max((key.salt for key in there), default=-1) + 1
    latest = [key.indices.size for key in there if key.salt == salt - 1]
    size = max(1, min(latest) // 2) if latest else part.size
    for start in range(part.start, part.stop, size):
        indices = IndexRange(start, min(start + size, part.stop))
        yield plan.message(plan.batch(generator, indices, salt), salt=salt)


def _seeds_fault(generator: str, evidence: Evidence) -> list[FailedAttempt]:
    return [failed for failed in evidence.failures(generator) if failed.key.cause.is_seeds_fault]
