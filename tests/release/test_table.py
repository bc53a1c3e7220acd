"""What a generator says of a sample."""

import json
from typing import Any

import pytest

from vbvrdatafactory.release.table import read_parameters


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("ab", "ab"),
        (7, "7"),
        (0, "0"),
        (1.5, "1.5"),
        ([3, "x"], '[3, "x"]'),
        ({"b": 1, "a": 2}, '{"a": 2, "b": 1}'),
    ],
)
def test_a_hash_may_be_of_any_type(given: Any, expected: str) -> None:
    """A number, a list or an object says as well as a text that puzzles are equal."""
    assert (
        read_parameters({"metadata.json": json.dumps({"param_hash": given}).encode()}).param_hash == expected
    )


@pytest.mark.parametrize("given", [None, "", True, False, [], {}])
def test_what_says_nothing_is_no_hash(given: Any) -> None:
    """All samples of a generator would be one puzzle."""
    assert read_parameters({"metadata.json": json.dumps({"param_hash": given}).encode()}).param_hash is None


def test_long_hashes_that_begin_alike_differ() -> None:
    """Whatever their length is, only equal ones are one puzzle."""
    one, other = (
        read_parameters({"metadata.json": json.dumps({"param_hash": "a" * 300 + end}).encode()})
        for end in "xy"
    )
    assert one.param_hash != other.param_hash


def test_a_hash_in_the_other_file_counts() -> None:
    """A sample may have both; what metadata.json does not say, question_metadata.json may."""
    found = read_parameters({"metadata.json": b'{"n": 1}', "question_metadata.json": b'{"param_hash": "q"}'})
    assert found == ('{"n": 1}', "q")
