"""Which seed made what is there: of two receipts over one index the later tells."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core.keys import ReceiptKey
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.evidence import SuccessRecord
from vbvrdatafactory.planning.origins import Origin, describe, next_move, origin_of
from vbvrdatafactory.planning.plan import DatasetSpec, Plan, make_spec

G = "G-1_x"
SPEC = make_spec(dataset="spring", generators=[G], samples=30, batch_size=10)
PLAN = Plan(SPEC)
ALL = b"\1" * 30


def made(plan: Plan, minute: int, start: int = 0, size: int = 10, salt: int = 0) -> SuccessRecord:
    """A receipt of the run that `plan` has there."""
    indices = IndexRange(start, start + size)
    seed = plan.batch(G, indices, salt).seed
    return SuccessRecord(ReceiptKey(G, indices, salt, seed), datetime(2026, 1, 15, 12, minute, tzinfo=UTC))


def other(seed: int = 7, **fields: object) -> Plan:
    return Plan(SPEC.model_copy(update={"seed": seed, **fields}))


def counts(*runs: SuccessRecord, present: bytes = ALL) -> tuple[int, int]:
    found = origin_of(PLAN, present, runs)
    return found.other_seed, found.without_receipt


def test_what_the_dataset_itself_made_is_its_own() -> None:
    """Planned batches, tries under later salts, pieces, and batches of other sizes: all of one seed."""
    assert counts(made(PLAN, 1), made(PLAN, 2, 10, 5, salt=1), made(PLAN, 3, 15, 15)) == (0, 0)


def test_what_another_seed_made_is_counted_as_far_as_it_is_there() -> None:
    """A batch of seed 7 of which three samples are there, beside one of this seed."""
    present = b"\1" * 10 + b"\1\1\1" + bytes(17)
    assert counts(made(PLAN, 1), made(other(), 2, 10), present=present) == (3, 0)


@pytest.mark.parametrize(("mine", "its", "found"), [(1, 2, 10), (2, 1, 0), (1, 1, 10)])
def test_of_two_receipts_the_later_tells(mine: int, its: int, found: int) -> None:
    """Whichever seed came last made what is there; in one second, what is doubtful counts as another's."""
    for runs in ([made(PLAN, mine), made(other(), its)], [made(other(), its), made(PLAN, mine)]):
        assert counts(*runs, present=ALL[:10]) == (found, 0)


def test_samples_without_a_receipt_are_counted_apart() -> None:
    """Put there by hand or by another factory: whole, and nobody says by which seed."""
    assert counts(made(PLAN, 1)) == (0, 20)


def test_a_receipt_whose_seed_is_unknown_tells_nothing() -> None:
    """One of before names had the seed, which can't be read."""
    unread = made(PLAN, 1)._replace(key=ReceiptKey(G, IndexRange(0, 10), 0))
    assert counts(unread) == (0, 30)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(1, 12)), max_size=8), st.binary())
def test_every_sample_is_of_one_kind(runs: list[tuple[bool, int, int]], noise: bytes) -> None:
    """Against an index by index count, for any runs within and beyond what is planned."""
    present = bytes(byte & 1 for byte in noise[:30]).ljust(30, b"\0")
    plans = [PLAN if own else other() for own, _, _ in runs]
    receipts = [
        made(plan, n, start, size) for n, (plan, (_, start, size)) in enumerate(zip(plans, runs, strict=True))
    ]
    last = {index: own for own, start, size in runs for index in range(start, start + size)}
    wanted = [last.get(index) for index in range(30) if present[index]]
    assert counts(*receipts, present=present) == (wanted.count(False), wanted.count(None))


def test_the_receipts_of_a_large_dataset_take_a_moment() -> None:
    """Forty thousand runs of one generator, every second of another seed: a count that no run waits for."""
    plan = Plan(make_spec(generators=[G], samples=400_000, batch_size=10))
    its = Plan(plan.spec.model_copy(update={"seed": 7}))
    at = datetime(2026, 1, 15, tzinfo=UTC)
    runs = [
        SuccessRecord(ReceiptKey(G, IndexRange(s, s + 10), 0, (its if s % 20 else plan).batch(G, IndexRange(s, s + 10)).seed),
             at + timedelta(seconds=s))
        for s in range(0, 400_000, 10)
    ]  # fmt: skip
    assert origin_of(plan, b"\1" * 400_000, runs)[:2] == (200_000, 0)


def test_what_was_found_is_said_with_the_generators_it_is_in() -> None:
    """How many, of which seed they are not, and where most of them are."""
    found = {f"G-{n}": Origin(other_seed=n) for n in range(8)}
    assert describe(found, SPEC) == (
        "28 samples in the bucket were made for another seed than 42 "
        "(G-7: 7, G-6: 6, G-5: 5, G-4: 4, G-3: 3, and 2 more generators)"
    )


@pytest.mark.parametrize(
    ("made_for", "said"),
    [
        (other().spec, "seed 7 made them for dataset 'spring': ask for that one, "),
        (other(7, seeds="legacy").spec, "seed 7 with --legacy-seeds made them for dataset 'spring': "),
        (SPEC, "make the dataset in another bucket"),
        (other(8).spec, "make the dataset in another bucket"),
    ],
)
def test_the_seed_that_made_them_is_named_where_a_dataset_of_the_bucket_has_it(
    made_for: DatasetSpec, said: str
) -> None:
    """The next move is that seed, another bucket, or to delete them."""
    its = made_for if said.startswith("seed") else other(9).spec
    example = made(Plan(its), 1, 10).key
    moves = next_move({G: Origin(10, 0, example)}, [SPEC, made_for])
    assert moves.startswith(said)
    assert moves.endswith("or delete those samples and run again")
