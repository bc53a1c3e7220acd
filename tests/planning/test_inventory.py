"""The inventory counts what a listing shows, whatever its mixture and order."""

import tracemalloc
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.contract import ALL_FIVE, ALWAYS_REQUIRED, KNOWN_FILES, required_files
from vbvrdatafactory.core.errors import SpecError
from vbvrdatafactory.core.ranges import IndexRange, expand
from vbvrdatafactory.planning.inventory import Inventory

Listing = list[tuple[str, int]]
GENERATORS = ("G-1_x", "G-10_x", "G-1_x_data")
EXTRAS = ("thumbs.db", "a/b.png", ".gitkeep", "masks", "a/.done")
BEYOND = 10**9

file_sets = (
    st.sets(st.sampled_from([*KNOWN_FILES, *EXTRAS])) | st.just(set(ALWAYS_REQUIRED)) | st.just(set(ALL_FIVE))
)
small = st.integers(0, 30)


@st.composite
def samples(draw: st.DrawFn, sizes: st.SearchStrategy[int]) -> dict[str, int]:
    """The files of one sample, or of one width or one task of it."""
    generator, index = draw(st.sampled_from(GENERATORS)), draw(small)
    task, width = draw(st.sampled_from(["t", "u"])), draw(st.sampled_from([1, 4, 5]))
    folder = f"questions/{generator}/{task}_task/{task}_{index:0{width}d}"
    return {f"{folder}/{name}": draw(sizes) for name in sorted(draw(file_sets))}


archives = st.builds(
    lambda generator, start, size, length: {
        keys.archive(keys.Archive(generator, IndexRange(start, start + size))): length
    },
    st.sampled_from(GENERATORS),
    small,
    st.integers(1, 12),
    st.sampled_from([0, 1, 900]),
)
strangers = st.sampled_from(
    [
        "questions/README.md",
        "questions/G-1_x/notes.txt",
        "questions/x_5-4.tar.gz",
        "questions/G-10_x/t_task/log",
    ]
).map(lambda key: {key: 1})


def buckets(sizes: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, int]]:
    parts = st.lists(samples(sizes) | archives | strangers, max_size=25)
    return parts.map(lambda found: {key: size for part in found for key, size in part.items()})


def reference(bucket: dict[str, int], require: Iterable[str] = ()) -> dict[str, tuple[set[int], set[int]]]:
    """Generator -> (whole, torn), the slow and obvious way."""
    folders: dict[str, dict[str, int]] = {}
    found: dict[str, tuple[set[int], set[int]]] = {g: (set(), set()) for g in GENERATORS}
    for key, size in bucket.items():
        folder, _, name = key.rpartition("/")
        folders.setdefault(folder, {})[name] = size
        if (archive := keys.parse_archive(key)) and size:
            found[archive.generator][0].update(range(*archive.indices))
    for folder, files in folders.items():
        if sample := keys.parse_sample_folder(folder):
            there = {name for name, size in files.items() if size}
            whole = set(required_files(require)) <= there
            if there or set(KNOWN_FILES) & set(files):
                found[sample.generator][not whole].add(sample.sample_index)
    return {g: (whole, torn - whole) for g, (whole, torn) in found.items()}


def take(listing: Iterable[tuple[str, int]], require: Iterable[str] = ()) -> Inventory:
    inventory = Inventory(require)
    inventory.add(listing)
    return inventory


def assert_shows(inventory: Inventory, bucket: dict[str, int], require: Iterable[str], planned: int) -> None:
    plan = IndexRange(0, planned)
    for generator, (whole, torn) in reference(bucket, require).items():
        shown = inventory[generator]
        assert shown.whole(plan) == len({i for i in whole if i < planned})
        assert shown.torn(plan) == len({i for i in torn if i < planned})
        assert shown.strays(planned) == len({i for i in whole | torn if i >= planned})
        assert set(expand(shown.missing(plan))) == set(range(planned)) - whole


@given(buckets(st.integers(0, 2)), st.sets(st.sampled_from(KNOWN_FILES)), st.integers(1, 40))
def test_a_sorted_listing_is_counted_as_by_hand(
    bucket: dict[str, int], require: set[str], planned: int
) -> None:
    """Files, archives, both, torn, empty, stray and foreign: the counts equal a naive model's."""
    assert_shows(take(sorted(bucket.items()), require), bucket, require, planned)


@given(buckets(st.integers(0, 2)), st.integers(1, 40), st.randoms())
def test_the_order_of_a_listing_does_not_matter(bucket: dict[str, int], planned: int, random: Random) -> None:
    """A folder met again later is merged with what was seen of it before."""
    listing = list(bucket.items())
    random.shuffle(listing)
    assert_shows(take(listing), bucket, (), planned)


@given(buckets(st.integers(0, 2)), st.lists(st.integers(0, 200), max_size=4))
def test_a_listing_may_come_in_pieces(bucket: dict[str, int], cuts: list[int]) -> None:
    """Pages added one after the other, cut anywhere, show the same as one listing."""
    listing, inventory = sorted(bucket.items()), Inventory()
    edges = [0, *sorted(min(cut, len(listing)) for cut in cuts), len(listing)]
    for start, stop in pairwise(edges):
        inventory.add(listing[start:stop])
    assert inventory.key_count == len(listing)
    assert_shows(inventory, bucket, (), 20)


def test_threads_may_add_at_once() -> None:
    """Each thread brings its own generator's folders and none is lost."""
    inventory = Inventory()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: inventory.add(whole_samples(f"G-{n}", range(500))), range(16)))
    assert [inventory[f"G-{n}"].whole(IndexRange(0, 500)) for n in range(16)] == [500] * 16
    assert inventory.key_count == 16 * 500 * 2


def whole_samples(
    generator: str, indices: Iterable[int], files: tuple[str, ...] = ALWAYS_REQUIRED
) -> Iterator[tuple[str, int]]:
    for index in indices:
        folder = keys.sample_folder(keys.SampleFolder(generator, "t", index))
        yield from ((f"{folder}/{name}", 900) for name in sorted(files))


@pytest.mark.parametrize(
    ("files", "require", "whole"),
    [
        ({"first_frame.png": 9, "prompt.txt": 9}, (), True),
        ({"first_frame.png": 9, "prompt.txt": 9, "extra.bin": 1}, (), True),
        ({"first_frame.png": 9}, (), False),
        ({"prompt.txt": 9, "ground_truth.mp4": 9}, (), False),
        ({"first_frame.png": 0, "prompt.txt": 9}, (), False),
        ({"first_frame.png": 9, "prompt.txt": 9, "ground_truth.mp4": 0}, (), True),
        ({"first_frame.png": 9, "prompt.txt": 9, "ground_truth.mp4": 0}, ("ground_truth.mp4",), False),
        ({".done": 0, "first_frame.png": 9, "masks": 0, "prompt.txt": 9}, (), True),
        ({"first_frame.png": 9, "prompt.txt": 9}, ("ground_truth.mp4",), False),
        ({"first_frame.png": 9, "prompt.txt": 9, "ground_truth.mp4": 9}, ("ground_truth.mp4",), True),
        ({"nested/first_frame.png": 9, "nested/prompt.txt": 9}, (), False),
    ],
)
def test_what_makes_a_sample_whole(files: dict[str, int], require: tuple[str, ...], whole: bool) -> None:
    """The required files are there and none of them is empty; an empty file besides changes nothing."""
    shown = take([(f"questions/G/t_task/t_0000/{n}", size) for n, size in files.items()], require)["G"]
    assert shown.whole(IndexRange(0, 1)) == whole


def test_a_sample_counts_once_however_often_it_is_there() -> None:
    """As files, in an archive, and under two widths: still one sample."""
    listing = [*whole_samples("G", [3]), ("questions/G_00003-00003.tar.gz", 9)]
    listing += [(f"questions/G/t_task/t_00003/{name}", 9) for name in ALWAYS_REQUIRED]
    assert take(listing)["G"].whole(IndexRange(0, 10)) == 1


def test_an_archive_makes_up_for_torn_files() -> None:
    """A sample that is whole in one form is whole, whatever the other form lacks."""
    shown = take([("questions/G_00000-00001.tar.gz", 9), ("questions/G/t_task/t_0000/prompt.txt", 9)])["G"]
    assert (shown.whole(IndexRange(0, 5)), shown.torn(IndexRange(0, 5))) == (2, 0)


def test_a_generators_prefix_is_not_anothers_name() -> None:
    """G-1_x and G-10_x keep their samples apart, and so do G-1_x and G-1_x_data."""
    inventory = take([*whole_samples("G-1_x", [0]), ("questions/G-1_x_data_00000-00009.tar.gz", 1)])
    assert list(inventory) == ["G-1_x", "G-1_x_data"]
    assert [inventory[g].whole(IndexRange(0, 99)) for g in GENERATORS] == [1, 0, 10]


def test_what_is_no_sample_and_no_archive_is_counted_apart() -> None:
    """Foreign files are no generators; folders and files are counted, not their contents."""
    listing = [
        ("questions/README.md", 1),
        ("questions/G/t_task/notes/a", 1),
        ("questions/G/t_task/notes/b", 1),
    ]
    inventory = take([*listing, ("questions/G_00000-00009.tar.gz", 0)])
    assert (inventory.unrecognised, list(inventory)) == (3, [])


@pytest.mark.parametrize(
    "mark",
    [
        "questions",
        "questions/G",
        "questions/G/t_task",
        "questions/G/t_task/t_0000",
        "questions/G/t_task/t_0000/masks",
        "questions/G/t_task/t_0000/.gitkeep",
        "questions/G/t_task/_SUCCESS",
        "questions/_SUCCESS",
    ],
)
def test_an_empty_mark_changes_nothing(mark: str) -> None:
    """Consoles mark folders by empty objects and tools leave markers: whole, torn and strays are as without them."""
    alone = take([(mark, 0)])
    assert (alone.unrecognised, list(alone), alone["G"].strays(0)) == (0, [], 0)
    whole = list(whole_samples("G", [0]))
    for listing in (sorted([*whole, (mark, 0)]), [*whole, (mark, 0)], [(mark, 0), *whole]):
        shown = take(listing)
        assert (shown.unrecognised, shown["G"].whole(IndexRange(0, 1))) == (0, 1)


def test_a_sample_whose_files_are_all_empty_is_torn() -> None:
    """Something was to be there: that is told apart from nothing at all."""
    shown = take([("questions/G/t_task/t_0000/prompt.txt", 0), ("questions/G/t_task/t_0001/.done", 0)])["G"]
    assert (shown.torn(IndexRange(0, 2)), shown.missing(IndexRange(0, 2))) == (1, [IndexRange(0, 2)])


def test_a_generator_that_was_not_listed_shows_nothing() -> None:
    """Asking for it is fine, and does not make it a generator of the bucket."""
    inventory = Inventory()
    assert inventory["G"].missing(IndexRange(2, 5)) == [IndexRange(2, 5)]
    assert list(inventory) == []


def test_requiring_an_unknown_file_is_refused() -> None:
    """No sample could ever be whole."""
    with pytest.raises(SpecError, match=r"frame\.gif"):
        Inventory(["frame.gif"])


def five_files(count: int) -> Iterator[tuple[str, int]]:
    for index in range(count):
        folder = f"questions/G/t_task/t_{index:04d}"
        yield from ((f"{folder}/{name}", 900) for name in sorted(ALL_FIVE))


def traced_from(listing: Iterable[tuple[str, int]], position: int) -> Iterator[tuple[str, int]]:
    """The listing, with memory traced from `position` on: tracing all of it takes ten times as long."""
    for at, row in enumerate(listing):
        if at == position:
            tracemalloc.start()
        yield row


def test_a_million_keys_stream_through_in_bounded_memory() -> None:
    """Nothing is kept of a key: the last hundred thousand of a million need no more than an index array."""
    inventory = take(traced_from(five_files(200_000), 900_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (inventory.key_count, inventory["G"].whole(IndexRange(0, 200_000))) == (1_000_000, 200_000)
    assert peak < 500_000


def test_an_absurd_index_costs_no_memory() -> None:
    """A stray sample number of a billion is one stray, not an array of its size."""
    inventory = take(
        traced_from((row for n in range(9) for row in whole_samples(f"G-{n}", [BEYOND, BEYOND + 2])), 0)
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [inventory[f"G-{n}"].strays(10) for n in range(9)] == [2] * 9
    assert peak < 500_000


def test_strays_are_counted_whole_or_torn() -> None:
    """Beyond the plan, and far beyond it, a torn sample is a stray like a whole one."""
    torn = [(f"questions/G/t_task/t_{index}/prompt.txt", 1) for index in (5, BEYOND)]
    assert take([*torn, *whole_samples("G", [6, BEYOND + 1])])["G"].strays(5) == 4


@pytest.mark.parametrize(
    "whole",
    [
        ["questions/A_00005-00009.tar.gz"],
        ["questions/A/t_task/t_00007/first_frame.png", "questions/A/t_task/t_00007/prompt.txt"],
        ["questions/A/u_task/u_0007/first_frame.png", "questions/A/u_task/u_0007/prompt.txt"],
    ],
    ids=["archive", "another width", "another task"],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_torn_folder_is_superseded_by_a_whole_sample(whole: list[str], *, reverse: bool) -> None:
    """Where a sample is whole elsewhere, what is left of it in a torn folder is named, in whatever order it was met."""
    inventory = Inventory()
    listing = [(key, 1) for key in sorted(["questions/A/t_task/t_0007/prompt.txt", *whole])]
    inventory.add(reversed(listing) if reverse else listing)
    assert inventory.superseded(["A"]) == ["questions/A/t_task/t_0007"]
    assert inventory.superseded(["B"]) == []


def test_a_torn_sample_that_is_nowhere_whole_stays() -> None:
    """What is torn is evidence until there is something better; a whole folder beside an archive is no leftover."""
    inventory = Inventory()
    whole = [f"questions/A/t_task/t_0008/{name}" for name in ALWAYS_REQUIRED]
    inventory.add(
        (key, 1) for key in ["questions/A/t_task/t_0007/prompt.txt", *whole, "questions/A_00008-00009.tar.gz"]
    )
    assert inventory.superseded(["A"]) == []
