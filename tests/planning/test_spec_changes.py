"""A dataset may grow and be required more of; less of it, or another seed, is another dataset."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core.errors import SpecError
from vbvrdatafactory.core.generators_lock import (
    GeneratorsLock,
    LockedEnvironment,
    LockedGenerator,
    Pins,
    pin,
)
from vbvrdatafactory.planning.plan import DatasetSpec, Override, Plan, make_spec
from vbvrdatafactory.planning.spec_changes import Redefined, check_pins, compare, describe, refusal

BEFORE = make_spec(
    dataset="spring", generators=["A", "B"], samples=30, batch_size=10, require=["ground_truth.mp4"]
)
LEGACY = BEFORE.model_copy(update={"seeds": "legacy"})


def but(spec: DatasetSpec = BEFORE, **changes: object) -> DatasetSpec:
    return make_spec(**{**spec.model_dump(), **changes})


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (but(samples=45), "samples: 30 → 45"),
        (but(batch_size=25), "batch_size: 10 → 25"),
        (but(output_format="tar"), "output_format: files → tar"),
        (but(generators=["A", "B", "C"]), "generators added: C"),
        (
            but(require=["ground_truth.mp4", "metadata.json"]),
            "required besides: metadata.json",
        ),
        (but(overrides={"B": Override(samples=31)}), "samples: 30 → 31 of B"),
        (but(overrides={"B": Override(batch_size=5)}), "batch_size: 10 → 5 of B"),
        (but(LEGACY, samples=45), None),
        (but(), ""),
    ],
)
def test_what_keeps_every_promise_is_the_same_dataset(now: DatasetSpec, said: str | None) -> None:
    """More samples, more generators, more required; other batches, another format: no sample of before is lost."""
    before = LEGACY if now.seeds == "legacy" else BEFORE
    changes = compare(before, now)
    assert not any(change.redefines for change in changes)
    assert said is None or describe(changes) == said


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (BEFORE, but(seed=7), "seed: 42 → 7"),
        (BEFORE, LEGACY, "seeds: hashed → legacy"),
        (BEFORE, but(generators=["A"]), "generators left out: B"),
        (BEFORE, but(generators=["A", "C"]), "generators left out: B"),
        (BEFORE, but(samples=29), "samples: 30 → 29"),
        (BEFORE, but(samples=60, overrides={"A": Override(samples=5)}), "samples: 30 → 5 of A"),
        (but(overrides={"A": Override(samples=50)}), but(samples=40), "samples: 50 → 40 of A"),
        (BEFORE, but(require=[]), "no more required: ground_truth.mp4"),
        (LEGACY, but(LEGACY, batch_size=25), "batch_size: 10 → 25"),
        (LEGACY, but(LEGACY, overrides={"A": Override(batch_size=5)}), "batch_size: 10 → 5 of A"),
    ],
)
def test_what_breaks_a_promise_is_another_dataset(before: DatasetSpec, now: DatasetSpec, said: str) -> None:
    """Another seed, less of anything; of legacy seeds, which count batches, another batch size."""
    redefining = [change for change in compare(before, now) if change.redefines]
    assert describe(redefining) == said


def test_what_redefines_is_said_first_and_alone_refused_for() -> None:
    """The line names the dataset, what differs, and each way on."""
    changes = compare(BEFORE, but(seed=7, output_format="tar", samples=20))
    assert describe(changes) == "seed: 42 → 7; samples: 30 → 20; output_format: files → tar"
    line = str(refusal("spring", changes))
    assert line.startswith(
        "dataset 'spring' is described otherwise in the bucket (seed: 42 → 7; samples: 30 → 20); "
    )
    assert "another name" in line
    assert "--replace-spec" in line
    assert isinstance(refusal("spring", changes), SpecError)


def test_a_line_of_many_generators_stays_a_line() -> None:
    """Of three hundred generators left out five are named."""
    wide = make_spec(generators=[f"G-{n:03d}" for n in range(300)], samples=1)
    assert describe(compare(wide, make_spec(generators=["G-000"], samples=1))) == (
        "generators left out: G-001, G-002, G-003, G-004, G-005 and 294 more"
    )


numbers = st.integers(1, 4)
specs = st.builds(
    lambda names, samples, size, own: make_spec(
        generators=sorted(names), samples=samples, batch_size=size, overrides={min(names): own}
    ),
    st.sets(st.sampled_from("ABC"), min_size=1),
    numbers,
    numbers,
    st.builds(Override, samples=st.none() | numbers, batch_size=st.none() | numbers),
)


@given(specs, specs)
def test_no_sample_that_was_promised_is_lost_without_a_word(before: DatasetSpec, now: DatasetSpec) -> None:
    """Of one seed it is the same dataset exactly where every sample of before is still asked for."""

    def promised(spec: DatasetSpec) -> set[tuple[str, int]]:
        return {(line.generator, i) for line in Plan(spec).generators.values() for i in range(line.samples)}

    changes = compare(before, now)
    assert any(change.redefines for change in changes) == (not promised(before) <= promised(now))


def pins(code: str = "a" * 64, environment: str = "e1", commit: str = "") -> Pins:
    """Those of a lock in which A and B have this code and environment."""
    one = LockedGenerator(code=code, environment=environment, commit=commit, tree="7" * 64)
    known = LockedEnvironment(digest=environment, libraries={"numpy": "1"})
    lock = GeneratorsLock(generators={"A": one, "B": one, "C": one}, environments={environment: known})
    return pin(lock, ["A", "B", "not locked"])


PINNED = but(pins=pins())


def test_a_spec_says_what_it_was_planned_with() -> None:
    """Of each of its generators code, commit, tree and environment, and of each environment its libraries; of no others."""
    assert set(PINNED.pins.generators) == {"A", "B"}
    assert PINNED.pins.generators["A"].tree == "7" * 64
    assert PINNED.pins.environments["e1"].libraries == {"numpy": "1"}
    assert pin(None, ["A"]) == Pins()


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (pins(code="b" * 64), "code aaaaaaaaaaaa → bbbbbbbbbbbb of A, B"),
        (pins(environment="e2"), "environment e1 → e2 of A, B"),
        (pins(code="b" * 64, environment="e2", commit="c" * 40), "code aaaaaaaaaaaa → cccccccccccc, environment e1 → e2 of A, B"),
    ],
)  # fmt: skip
def test_other_code_or_another_environment_makes_other_samples(now: Pins, said: str) -> None:
    """A dataset that was planned with another lock is another one, unless what is there is to be kept."""
    assert describe(compare(PINNED, but(pins=now))) == said
    assert compare(PINNED, but(pins=now))[0].redefines
    assert not compare(PINNED, but(pins=now, on_mismatch="keep"))[0].redefines
    with pytest.raises(Redefined, match="on-mismatch keep"):
        check_pins(PINNED, now)
    check_pins(but(pins=pins(), on_mismatch="keep"), now)


def test_what_was_pinned_nowhere_is_no_change() -> None:
    """A spec of before there were locks, and a machine without one, mix nothing that is known."""
    assert compare(BEFORE, PINNED) == []
    assert compare(PINNED, BEFORE) == []
    check_pins(BEFORE, pins())
    check_pins(PINNED, Pins())
