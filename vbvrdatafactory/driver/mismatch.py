"""Refuses to send where the bucket holds samples that the dataset does not ask for, and says what to do about them."""

from collections.abc import Iterable

from obstore.store import ObjectStore

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.keys import ReceiptKey
from vbvrdatafactory.planning.contents import State
from vbvrdatafactory.planning.gaps import Observation
from vbvrdatafactory.planning.judging import dataset_of, is_planned, seed_of
from vbvrdatafactory.planning.plan import DatasetSpec, Plan
from vbvrdatafactory.report.run_figures import EndedEarly, Reason
from vbvrdatafactory.s3.specs import read_all_specs

# Further generators are only counted.
_SHOWN = 5

_POLICIES = "or run again with --on-mismatch replace or keep (on_mismatch in a flow)"


def refuse_mismatch(store: ObjectStore, plan: Plan, seen: Observation) -> EndedEarly | None:
    """Why nothing is sent for the plan: samples in the bucket are not what it asks for. None where all are, or may stay.

    What is sent would mix with them.
    """
    spec = plan.spec
    if spec.on_mismatch != "refuse":
        return None
    if seen.count(State.STALE_SEED):
        than = f"were made for another seed than {seed_of(spec)}"
        return _ended(plan, seen, State.STALE_SEED, than, _move_of_seed(store, plan, seen), Reason.OTHER_SEED)
    if seen.count(State.STALE_CODE):
        move = f"restore the code that made them, {_POLICIES}"
        return _ended(
            plan, seen, State.STALE_CODE, "were made by other code, or in another environment", move
        )
    if seen.count(State.FOREIGN):
        move = (
            f"'datafactory adopt {spec.dataset}' takes them over as they are; {_POLICIES.removeprefix('or ')}"
        )
        return _ended(plan, seen, State.FOREIGN, "are in no receipt, or were changed since", move)
    return None


def check_mismatch(store: ObjectStore, plan: Plan, seen: Observation) -> None:
    """Raise where `refuse_mismatch` says that nothing may be sent.

    Raises:
        DataFactoryError: with what it says.
    """
    if refused := refuse_mismatch(store, plan, seen):
        raise DataFactoryError(f"{refused.detail}; {refused.next_move}")


def _ended(  # noqa: PLR0913 - the parts of a sentence
    plan: Plan,
    seen: Observation,
    state: State,
    what: str,
    next_move: str,
    reason: Reason = Reason.MISMATCH,
) -> EndedEarly:
    counts = [(seen.contents[name].count(state), name) for name in plan.generators if name in seen.contents]
    found = sorted((each for each in counts if each[0]), reverse=True)
    rows = ", ".join(f"{name}: {count:,}" for count, name in found[:_SHOWN])
    more = f", and {len(found) - _SHOWN:,} more generators" if len(found) > _SHOWN else ""
    total = sum(count for count, _ in found)
    return EndedEarly(
        reason=reason,
        detail=f"{total:,} samples in the bucket {what} ({rows}{more})",
        next_move=next_move,
    )


def _move_of_seed(store: ObjectStore, plan: Plan, seen: Observation) -> str:
    moves = (
        "give the dataset a prefix of its own (--prefix, prefix in a flow), delete those samples and run again, "
        f"{_POLICIES}"
    )
    spec = _dataset_of_others(plan, seen, read_all_specs(store))
    if spec is None:
        return moves
    return f"seed {seed_of(spec)} made them for dataset {spec.dataset!r}: ask for that one, {moves}"


def _dataset_of_others(plan: Plan, seen: Observation, described: Iterable[DatasetSpec]) -> DatasetSpec | None:
    """The dataset whose seed made the samples of another seed."""
    described = list(described)
    others = (run for name in plan.generators if (run := _other_run(plan, seen, name)))
    return next((spec for run in others if (spec := dataset_of(run, described))), None)


def _other_run(plan: Plan, seen: Observation, generator: str) -> ReceiptKey | None:
    """A run of another seed that made some of a generator's samples."""
    if not seen.contents[generator].count(State.STALE_SEED):
        return None
    return next((key for key in seen.evidence.receipts(generator) if not is_planned(plan, key)), None)
