"""Plan minus inventory, exact to the sample."""

from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.ranges import IndexRange, compress, expand
from vbvrdatafactory.planning.gaps import Gap, find_gaps
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.plan import Override, Plan, make_spec

present = st.dictionaries(st.sampled_from(["A", "B", "stranger"]), st.sets(st.integers(0, 70)))


def inventory_of(whole: dict[str, set[int]], torn: dict[str, set[int]]) -> Inventory:
    inventory = Inventory()
    for found, files in ((whole, ("first_frame.png", "prompt.txt")), (torn, ("prompt.txt",))):
        for generator, indices in found.items():
            folders = [keys.sample_folder(keys.SampleFolder(generator, "t", i)) for i in sorted(indices)]
            inventory.add((f"{folder}/{name}", 1) for folder in folders for name in files)
    return inventory


@given(present, present, st.integers(1, 60), st.integers(1, 60))
def test_gaps_are_what_is_planned_and_not_whole(
    whole: dict[str, set[int]], torn: dict[str, set[int]], samples: int, others: int
) -> None:
    """Torn samples are missing, strays and strangers change nothing, and every index is right."""
    spec = make_spec(generators=["A", "B"], samples=samples, overrides={"B": Override(samples=others)})
    gaps = find_gaps(Plan(spec), inventory_of(whole, torn))
    wanted = {"A": set(range(samples)), "B": set(range(others))}
    assert {g: set(expand(gaps.of(g).ranges)) for g in "AB"} == {
        g: wanted[g] - whole.get(g, set()) for g in "AB"
    }
    assert gaps.sample_count == sum(len(wanted[g] - whole.get(g, set())) for g in "AB")


def test_an_empty_bucket_lacks_everything() -> None:
    """The first run is the same subtraction: one range a generator."""
    gaps = find_gaps(Plan(make_spec(generators=["A", "B"], samples=100)), Inventory())
    assert list(gaps) == [Gap("A", (IndexRange(0, 100),)), Gap("B", (IndexRange(0, 100),))]


def test_a_generator_that_lacks_nothing_is_not_among_the_gaps() -> None:
    """A complete dataset has no gaps at all."""
    gaps = find_gaps(Plan(make_spec(generators=["A"], samples=3)), inventory_of({"A": {0, 1, 2}}, {}))
    assert (len(gaps), gaps.sample_count, gaps.of("A")) == (0, 0, Gap("A", ()))


def test_ranges_are_compressed() -> None:
    """Two holes are two ranges, however many samples they hold."""
    gaps = find_gaps(
        Plan(make_spec(generators=["A"], samples=60)), inventory_of({"A": set(range(10, 50))}, {})
    )
    assert [str(r) for r in gaps.of("A").ranges] == ["0-9", "50-59"]


ranges = st.builds(
    lambda start, size: IndexRange(start, start + size), st.integers(0, 60), st.integers(1, 20)
)


@given(st.sets(st.integers(0, 80)), st.lists(ranges, max_size=4))
def test_a_gap_without_what_was_sent(lacking: set[int], sent: list[IndexRange]) -> None:
    """What is held back is what is lacking and not in what was sent, to the index."""
    rest = Gap("A", tuple(compress(lacking))).without(sent)
    assert set(expand(rest.ranges)) == lacking - set(expand(sent))
    assert list(rest.ranges) == compress(expand(rest.ranges))
