"""Groups, splits and the order of samples in shards."""

import io
import tarfile
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.release import tar
from vbvrdatafactory.release.groups import find_groups, name_of_group
from vbvrdatafactory.release.order import arrange
from vbvrdatafactory.release.splits import assign_splits, parse_splits

WORDS = pl.Schema({"content": pl.UInt64, "puzzle": pl.UInt64})


def samples_of(counts: dict[str, int], states: int | None = None) -> pl.DataFrame:
    """Samples of generators, so many of each; with `states`, their contents are as many."""
    draw = np.random.default_rng(1)
    parts = []
    for name, count in counts.items():
        content = draw.integers(0, 2**64, count, np.uint64) if states is None else None
        parts.append(
            pl.DataFrame(
                {
                    "generator": [name] * count,
                    "index": range(count),
                    "content": content
                    if content is not None
                    else draw.integers(1, states + 1, count, np.uint64),
                    "bytes": draw.integers(1000, 9000, count),
                },
                schema_overrides={"generator": pl.Enum([*counts])},
            )
        )
    return pl.concat(parts)


def test_equal_puzzles_are_one_group_through_others_too() -> None:
    """By content, by what the generator says the puzzle is, and where each is equal to a third one."""
    table = pl.DataFrame(
        {"content": [5, 5, 7, 9, 2**63, 11, 7], "puzzle": [None, 1, 1, 3, 3, None, 4]}, schema=WORDS
    )
    assert find_groups(table).to_list() == [5, 5, 5, 9, 9, 11, 5]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_a_group_is_named_in_hexadecimal(words: list[int]) -> None:
    """Sixteen digits of each word."""
    table = pl.DataFrame({"group": words}, schema={"group": pl.UInt64})
    assert table.select(name_of_group(pl.col("group"))).to_series().to_list() == [
        f"{one:016x}" for one in words
    ]


def test_a_split_by_content_holds_where_one_by_seed_leaks() -> None:
    """Of 500 states and 2,000 samples a split by index shares states; one by group shares none, and has its share."""
    table = samples_of({"G": 2000}, states=500).with_columns(pl.lit(None, pl.UInt64).alias("puzzle"))
    by_seed = pl.col("index") < 100
    held_out, rest = (set(table.filter(one)["content"]) for one in (by_seed, ~by_seed))
    assert len(held_out & rest) > 0.9 * len(held_out)
    split = assign_splits(find_groups(table), {"test": 0.05, "validation": 0.05}, seed=1)
    parts = {name: set(part["content"]) for (name,), part in table.with_columns(split).group_by("split")}
    assert {*parts} == {"train", "test", "validation"}
    assert sum(map(len, parts.values())) == len(set(table["content"]))
    assert 0.02 < (split == "test").mean() < 0.08


def test_a_sample_more_moves_no_other_to_another_split() -> None:
    """So that a release of a larger dataset does not train on what an earlier one tested."""
    groups = samples_of({"G": 500})["content"]
    shares = {"test": 0.3}
    assert assign_splits(groups[:250], shares, 4).equals(assign_splits(groups, shares, 4)[:250])
    assert not assign_splits(groups, shares, 5).equals(assign_splits(groups, shares, 4))


@pytest.mark.parametrize(
    "given", ["test", "test=0", "test=1", "test=x", "Test=0.1", "train=0.1", "all=0.1", "a/b=0.1", "t=nan"]
)
def test_what_is_no_split_is_refused(given: str) -> None:
    """With what one looks like."""
    with pytest.raises(ReleaseError, match=r"looks like test=0\.05"):
        parse_splits([given])


def test_splits_leave_something_to_train() -> None:
    """And none is given twice."""
    with pytest.raises(ReleaseError, match="twice"):
        parse_splits(["test=0.1", "test=0.2"])
    with pytest.raises(ReleaseError, match="leave nothing"):
        parse_splits(["test=0.5", "validation=0.5"])


def test_every_shard_has_the_mix_of_the_whole() -> None:
    """Within three standard deviations of a random draw, for generators of every size, and shards are alike in bytes."""
    table = samples_of({"A": 4000, "B": 1000, "C": 300, "D": 77}).with_columns(split=pl.lit("train"))
    made = arrange(table, 7, 500_000)
    shards = made["shard"].n_unique()
    assert shards == -(-table["bytes"].sum() // 500_000) > 20
    sizes = made.group_by("shard").agg(pl.len(), pl.col("bytes").sum())
    assert sizes["bytes"].max() < 1.05 * sizes["bytes"].min()
    for generator, part in table.group_by("generator"):
        share = part.height / table.height
        for shard, size in sizes.select("shard", "len").iter_rows():
            count = made.filter(pl.col("shard") == shard, pl.col("generator") == generator[0]).height
            assert abs(count - size * share) <= 3 * (size * share * (1 - share)) ** 0.5


def test_the_order_follows_from_the_seed_alone() -> None:
    """Not from the order in which generators were listed; and within a shard generators do not take turns."""
    table = samples_of({"A": 400, "B": 400}).with_columns(split=pl.lit("train"))
    made = arrange(table, 7, 500_000)
    assert arrange(table.reverse(), 7, 500_000).equals(made)
    assert not arrange(table, 8, 500_000).equals(made)
    names = made.filter(pl.col("shard") == 0)["generator"].to_list()
    assert any(one == other for one, other in pairwise(names))


@pytest.mark.parametrize("size", [0, 1, 511, 512, 10_000])
def test_shards_are_what_tar_itself_writes(size: int) -> None:
    """Byte for byte, to the end of the archive."""
    name, data = "G-000001.first_frame.png", b"x" * size
    ours = tar.header(name, size) + data + tar.padding(size)
    assert tar.bytes_of([size]) == len(ours)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = size
        archive.addfile(entry, io.BytesIO(data))
    assert ours + tar.end(len(ours)) == file.getvalue()


def test_a_member_that_no_header_can_tell_of_is_refused() -> None:
    """By the length of its name, and by its size."""
    for name, size in (("x" * 101, 1), ("x", 8**11)):
        with pytest.raises(ReleaseError, match="does not fit a shard"):
            tar.header(name, size)
