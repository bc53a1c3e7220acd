"""Keys of samples in a release."""

import re

from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core.names import is_safe_name
from vbvrdatafactory.release.layout import MEMBERS, member
from vbvrdatafactory.release.naming import sample_key

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._\- ]{0,199}", fullmatch=True).filter(is_safe_name)
INDICES = st.integers(0, 10_000_000)


@given(NAMES, INDICES)
def test_no_key_has_a_dot_and_every_member_fits_a_header(generator: str, index: int) -> None:
    """A dot would end the key for whoever reads the shard, and a name of over 100 bytes needs a header more."""
    key = sample_key(generator, index)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", key)
    assert all(len(member(key, name)) <= 100 for name in MEMBERS)


@given(st.lists(NAMES, min_size=2, max_size=5, unique=True), st.lists(INDICES, min_size=1, unique=True))
def test_no_two_samples_have_one_key(generators: list[str], indices: list[int]) -> None:
    """Whatever their generators are called."""
    named = [*generators, *(name.replace(".", "_") for name in generators), "A.1", "A_1", "A 1", "A" * 61]
    keys = [sample_key(name, index) for name in set(named) for index in indices]
    assert len(keys) == len(set(keys))
