"""A plan is every batch of a dataset, in order, made as it is asked for."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core.errors import SpecError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.plan import DatasetSpec, Override, Plan, make_spec
from vbvrdatafactory.planning.selection import choose_generators

CATALOGUE = ["G-1_object_data-generator", "O-30_bookshelf_data-generator", "O-9_shape_data_generator"]

overrides = st.builds(
    Override, samples=st.none() | st.integers(1, 80), batch_size=st.none() | st.integers(1, 30)
)
specs = st.builds(
    DatasetSpec,
    generators=st.just(("A", "B", "C")),
    samples=st.integers(1, 80),
    batch_size=st.integers(1, 30),
    seed=st.integers(0, 2**63),
    output_format=st.sampled_from(["files", "tar"]),
    overrides=st.dictionaries(st.sampled_from(["A", "B"]), overrides),
    seeds=st.sampled_from(["hashed", "legacy"]),
)


@given(specs)
def test_batches_tile_what_was_asked_for(spec: DatasetSpec) -> None:
    """Every sample of every generator is in exactly one batch, and the counts are known without iterating."""
    plan = Plan(spec)
    made = [(batch.generator, i) for batch in plan for i in range(*batch.indices)]
    assert made == [(line.generator, i) for line in plan.generators.values() for i in range(line.samples)]
    assert plan.sample_count == len(made)
    assert plan.batch_count == len(list(plan))


@given(specs)
def test_an_override_changes_its_generator_alone(spec: DatasetSpec) -> None:
    """One generator may want other counts; what it leaves out, and everyone else, follows the dataset."""
    for name, line in Plan(spec).generators.items():
        wish = spec.overrides.get(name, Override())
        assert line.samples == (wish.samples or spec.samples)
        assert line.batch_size == min(wish.batch_size or spec.batch_size, line.samples)


@given(specs, st.integers(1, 80))
def test_extending_a_dataset_changes_no_batch_that_was_full(spec: DatasetSpec, more: int) -> None:
    """Asking for more leaves the seed and the cut of every full batch as they were."""
    longer = Plan(spec.model_copy(update={"samples": spec.samples + more, "overrides": {}}))
    full = [b for b in Plan(spec.model_copy(update={"overrides": {}})) if b.size == spec.batch_size]
    assert set(full) <= set(longer)


@given(specs)
def test_no_two_batches_of_a_generator_share_a_seed(spec: DatasetSpec) -> None:
    """Equal seeds within a generator would be copies."""
    batches = list(Plan(spec))
    assert len({(b.generator, b.seed) for b in batches}) == len(batches)


@given(specs)
def test_a_plan_is_the_same_every_time(spec: DatasetSpec) -> None:
    """A spec read back from the bucket plans the same batches."""
    assert list(Plan(DatasetSpec.model_validate_json(spec.model_dump_json()))) == list(Plan(spec))


@given(specs)
def test_every_batch_is_a_valid_message(spec: DatasetSpec) -> None:
    """A planned batch travels with its indices, its seed and the dataset's format and name."""
    plan = Plan(spec)
    for batch, message in ((batch, plan.message(batch)) for batch in plan):
        assert (message.type, message.indices, message.seed) == (batch.generator, batch.indices, batch.seed)
        assert (message.output_format, message.dataset) == (spec.output_format, spec.dataset)
        assert (message.salt, message.only_indices) == (0, None)
        assert TaskMessage.model_validate_json(message.to_json()) == message


@given(specs)
def test_a_plans_messages_are_those_of_its_batches(spec: DatasetSpec) -> None:
    """In order, and with what all of them have otherwise."""
    plan = Plan(spec)
    assert list(plan.messages()) == [plan.message(batch) for batch in plan]
    assert {message.output_bucket for message in plan.messages(output_bucket="my-bucket")} == {"my-bucket"}


def test_a_million_samples_are_planned_in_the_memory_of_ten() -> None:
    """Forty thousand batches are iterated without being held: under 200 kB."""
    plan = Plan(make_spec(generators=[f"G-{i}" for i in range(100)], samples=10_000, batch_size=25))
    tracemalloc.start()
    count = sum(batch.size for batch in plan)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == plan.sample_count == 1_000_000
    assert peak < 200_000


def test_an_index_knows_its_batch() -> None:
    """The batch that holds an index is cut at the end of the dataset."""
    line = Plan(make_spec(generators=["A"], samples=60, batch_size=25)).generators["A"]
    assert [line.planned_range(i) for i in (0, 24, 25, 59)] == [
        IndexRange(0, 25),
        IndexRange(0, 25),
        IndexRange(25, 50),
        IndexRange(50, 60),
    ]
    assert line.batch_count == 3


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"samples": 0}, r"samples=0: .*greater than or equal to 1"),
        ({"samples": -5}, r"samples=-5: "),
        ({"samples": 10_000_001}, r"samples=10000001: .*less than or equal to 10000000"),
        ({"batch_size": 0}, r"batch_size=0: "),
        ({"batch_size": 1001}, r"batch_size=1001: .*less than or equal to 1000"),
        ({"seed": -1}, r"seed=-1: "),
        ({"output_format": "zip"}, r"output_format='zip': .*'files' or 'tar'"),
        ({"generators": ()}, r"generators=\(\): "),
        ({"generators": ("A", "B", "A")}, r"^generator 'A' is named twice"),
        ({"generators": ("A", "../B")}, r"generators\.1='../B': .*not a safe name"),
        ({"dataset": "a/b"}, r"dataset='a/b': .*not a safe name"),
        (
            {"require": ("frame.gif",)},
            r"no sample has a file 'frame.gif'; the known ones are first_frame.png",
        ),
        ({"overrides": {"Z": {"samples": 1}}}, r"overrides name 'Z', which is not among the generators"),
        ({"overrides": {"A": {"samples": 0}}}, r"overrides\.A\.samples=0: "),
        ({"overrides": {"A": {"batch_size": 1001}}}, r"overrides\.A\.batch_size=1001: "),
        ({"overrides": {"A": {"batch": 10}}}, r"overrides\.A\.batch=10: Extra inputs"),
        ({"sample": 10}, r"sample=10: Extra inputs"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(fields: dict[str, object], refusal: str) -> None:
    """The refusal is one line that holds the field and the value."""
    with pytest.raises(SpecError, match=refusal) as refused:
        make_spec(**({"generators": ("A", "B"), "samples": 10} | fields))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["all"], CATALOGUE),
        (["O-*"], CATALOGUE[1:]),
        (["O-9_shape_data_generator", "G-*"], [CATALOGUE[0], CATALOGUE[2]]),
        (["O-9*", "O-*", "O-9_shape_data_generator"], CATALOGUE[1:]),
    ],
)
def test_names_globs_and_all_choose_each_generator_once(patterns: list[str], chosen: list[str]) -> None:
    """However often patterns overlap, the choice is in catalogue order without repeats."""
    assert list(choose_generators(patterns, reversed(CATALOGUE))) == chosen


@pytest.mark.parametrize(
    ("pattern", "offered"),
    [
        ("O-30_bookshelf_data_generator", "did you mean 'O-30_bookshelf_data-generator'"),
        ("o-30_bookshelv_data-generator", "did you mean 'O-30_bookshelf_data-generator'"),
        ("bookshelf", "did you mean 'O-30_bookshelf_data-generator'?"),
        ("zzz", "known: G-1_object_data-generator, O-30"),
        ("X-*", "known: "),
    ],
)
def test_an_unknown_generator_is_answered_with_near_names(pattern: str, offered: str) -> None:
    """A slip of the finger is corrected by the message."""
    with pytest.raises(SpecError) as refused:
        choose_generators([pattern], CATALOGUE)
    assert f"unknown generator {pattern!r}" in str(refused.value)
    assert offered in str(refused.value)


def test_one_unknown_name_among_known_ones_is_refused() -> None:
    """Half a choice is no choice."""
    with pytest.raises(SpecError, match="'nope'"):
        choose_generators(["G-*", "nope"], CATALOGUE)


@pytest.mark.parametrize("patterns", [["all", "O-*"], ["G-*", "all"], ["all", "nope", "all"]])
def test_all_beside_others_is_refused(patterns: list[str]) -> None:
    """Choosing some means those: all beside them is answered with the way out of it."""
    with pytest.raises(SpecError, match="'all' stands beside '.*'; leave 'all' out") as refused:
        choose_generators(patterns, CATALOGUE)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("seed", [2**53, 2**63, 2**64, 10**30])
def test_a_seed_that_no_form_could_show_is_refused(seed: int) -> None:
    """A new dataset's seed goes to 2**53 - 1: refused with the value and the limit."""
    with pytest.raises(SpecError, match=rf"seed={seed}: seeds go to {2**53 - 1}"):
        make_spec(generators=["A"], samples=1, seed=seed)
    assert make_spec(generators=["A"], samples=1, seed=2**53 - 1).seed == 2**53 - 1


def test_a_spec_filed_with_a_greater_seed_is_read() -> None:
    """What a bucket holds from before there was a limit still describes its dataset, and its plan."""
    filed = f'{{"dataset":"old","generators":["A"],"samples":2,"seed":{2**70}}}'
    spec = DatasetSpec.model_validate_json(filed)
    assert spec.seed == 2**70
    assert [batch.size for batch in Plan(spec)] == [2]


@pytest.mark.parametrize(
    ("patterns", "known", "hint"), [([], CATALOGUE, "name at least one"), (["all"], [], "GENERATORS_PATH")]
)
def test_choosing_nothing_is_refused(patterns: list[str], known: list[str], hint: str) -> None:
    """No pattern, or nothing to choose from, says what to do."""
    with pytest.raises(SpecError, match=hint):
        choose_generators(patterns, known)


def test_batches_come_in_order() -> None:
    """Generators as named, indices ascending."""
    spec = make_spec(generators=["B", "A"], samples=50, batch_size=20)
    batches = [(b.generator, b.start) for b in Plan(spec)]
    assert batches == [("B", 0), ("B", 20), ("B", 40), ("A", 0), ("A", 20), ("A", 40)]
    assert all(a < b for a, b in pairwise(s for g, s in batches if g == "A"))


def legacy(seed: int, samples: int, batch_size: int, **other: object) -> Plan:
    """A dataset whose batches get the predecessor's seeds."""
    fields = {"seed": seed, "samples": samples, "batch_size": batch_size, "seeds": "legacy", **other}
    return Plan(make_spec(generators=["A", "B"], **fields))


def test_legacy_seeds_count_batches() -> None:
    """Seed + number of the batch, the same for every generator, from 0 again after 2**31 - 1."""
    assert [batch.seed for batch in legacy(42, 45, 10)] == [42, 43, 44, 45, 46] * 2
    assert [batch.seed for batch in legacy(2**31 - 2, 30, 10)] == [2**31 - 2, 2**31 - 1, 0] * 2


def test_legacy_seeds_count_the_batches_of_each_generator() -> None:
    """A generator with a batch size of its own counts its own batches."""
    plan = legacy(42, 30, 10, overrides={"B": Override(batch_size=15)})
    assert [batch.seed for batch in plan] == [42, 43, 44, 42, 43]


def test_other_tries_of_a_legacy_batch_are_hashed() -> None:
    """The predecessor made no pieces and knew no salt: these get the seeds that every dataset's get."""
    plan, hashed = legacy(42, 30, 10), Plan(make_spec(generators=["A", "B"], samples=30, batch_size=10))
    for indices, salt in ((IndexRange(10, 20), 1), (IndexRange(15, 20), 0), (IndexRange(15, 20), 2)):
        assert plan.batch("A", indices, salt) == hashed.batch("A", indices, salt)
    assert plan.batch("A", IndexRange(10, 20)) != hashed.batch("A", IndexRange(10, 20))


def test_a_spec_of_before_there_were_legacy_seeds_is_hashed() -> None:
    """A bucket of before keeps the seeds that its dataset was made with."""
    spec = make_spec(generators=["A"], samples=30)
    before = spec.model_dump(exclude={"seeds"})
    assert DatasetSpec.model_validate(before) == spec
