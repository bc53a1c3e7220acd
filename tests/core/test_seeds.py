"""The seed of a batch is a hash of everything that tells batches apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core.seeds import batch_seed, python_hash_seed

starts = st.integers(0, 2**31 - 1)
names = st.sampled_from(["G-1_x", "G-10_x", "O_48_sudoku_data_generator", "ä b"])


def test_a_million_batches_of_one_generator_share_no_seed() -> None:
    """Equal seeds in one generator would be silent copies: over a million starts there is not one pair."""
    assert len({batch_seed(42, "G-1_x", start) for start in range(1_000_000)}) == 1_000_000


@given(st.integers(0), names, starts, starts, st.integers(0, 50))
def test_different_starts_never_share_a_seed(base: int, name: str, one: int, other: int, salt: int) -> None:
    """Wherever the two starts lie, their seeds are equal only if they are."""
    assert (batch_seed(base, name, one, salt) == batch_seed(base, name, other, salt)) is (one == other)


@given(st.integers(0), names, starts, st.integers(0, 50))
def test_a_seed_fits_what_generators_take(base: int, name: str, start: int, salt: int) -> None:
    """NumPy takes 32 bits and some generators add the sample's number: 0 <= seed < 2**31."""
    assert 0 <= batch_seed(base, name, start, salt) < 2**31


@pytest.mark.parametrize("batch_size", [1, 25, 100, 1000])
def test_neighbouring_base_seeds_share_no_batch(batch_size: int) -> None:
    """Seed 42's batch k + 1 is not seed 43's batch k, as base + ordinal would make it."""
    batches = range(0, 100 * batch_size, batch_size)
    assert batch_seed(42, "G", batch_size) != batch_seed(43, "G", 0)
    assert not {batch_seed(42, "G", s) for s in batches} & {batch_seed(43, "G", s) for s in batches}


def test_generators_and_salts_get_seeds_of_their_own() -> None:
    """The same batch of another generator, or after a failure, runs under another seed."""
    seeds = {batch_seed(42, name, 100, salt) for name in ("G-1_x", "G-10_x", "O_1_x") for salt in range(20)}
    assert len(seeds) == 60


@pytest.mark.parametrize(
    ("base", "generator", "start", "salt", "seed"),
    [
        (42, "G-1_object_trajectory_data-generator", 0, 0, 28436415),
        (42, "G-1_object_trajectory_data-generator", 25, 0, 597118196),
        (42, "G-1_object_trajectory_data-generator", 25, 1, 521516607),
        (43, "G-1_object_trajectory_data-generator", 25, 0, 1196340045),
        (0, "O_48_sudoku_data_generator", 9_999_975, 0, 1964249290),
        (2**64, "V-1_maze_path_data-generator", 2**31 - 1, 7, 115202033),
    ],
)
def test_seeds_are_frozen(base: int, generator: str, start: int, salt: int, seed: int) -> None:
    """These values never change: datasets that exist were made with them, and holes in them are replayed."""
    assert batch_seed(base, generator, start, salt) == seed


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_hash_seed_tells_batches_apart_as_their_seeds_do(one: int, other: int) -> None:
    """Python takes 0 .. 4294967295; two batches share a hash seed only if they share their seed."""
    assert 0 <= python_hash_seed(one) <= 4294967295
    assert (python_hash_seed(one) == python_hash_seed(other)) is (one == other)


@given(st.integers(0))
def test_any_seed_has_a_hash_seed(seed: int) -> None:
    """However large a seed is, Python starts with what comes of it."""
    assert 0 <= python_hash_seed(seed) <= 4294967295


def test_a_batch_as_planned_has_no_salt() -> None:
    """Without a salt the seed is the one of salt 0, which a plan gives first."""
    assert batch_seed(42, "A", 100) == batch_seed(42, "A", 100, 0) != batch_seed(42, "A", 100, 1)
