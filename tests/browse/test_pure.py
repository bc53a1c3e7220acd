"""What is chosen, how states are counted, and which requests are answered."""

import polars as pl
import pytest

from vbvrdatafactory.browse.choice import Query, QueryError, choose
from vbvrdatafactory.browse.heat import make_heat
from vbvrdatafactory.browse.requests import Part, has_cookie, parse_range, refusal
from vbvrdatafactory.browse.states import TORN, tell_torn
from vbvrdatafactory.core.ranges import IndexRange

ROWS = pl.DataFrame({"index": [0, 1, 2, 3], "digest": ["aa", "ab", "aa", None]})
OWN = {"Host": "127.0.0.1:80"}


@pytest.mark.parametrize(
    ("asked", "indices"),
    [
        ({}, [1, 2, 3]),
        ({"state": "missing"}, [0]),
        ({"state": "foreign"}, [3]),
        ({"digest": "AA"}, [2]),
        ({"copies": "1"}, [2]),
        ({"start": "2", "stop": "3"}, [2]),
    ],
)
def test_filters(asked, indices):
    """Each filter leaves what it names; what is missing is shown only where it is asked for."""
    assert choose(Query.parse(asked), "G", bytes([0, 1, 1, 6]), ROWS, 9) == (indices, len(indices))


def test_a_seed_chooses_the_same():
    """One seed gives the same samples again, another seed others, and no more than asked for."""
    first, again, other = (choose(Query(seed=seed), "G", bytes([1]) * 1000, ROWS, 5) for seed in (1, 1, 2))
    assert first == again != other
    assert (len(first[0]), first[1]) == (5, 1000)


@pytest.mark.parametrize("asked", [{"state": "<b>"}, {"digest": "xyz"}, {"page": "-1"}, {"start": "9" * 30}])
def test_what_is_no_query(asked):
    """What can't be asked for is refused with its value."""
    with pytest.raises(QueryError, match="no|not"):
        Query.parse(asked)


def test_an_address_is_parsed_back():
    """The address of a query gives the same query."""
    from urllib.parse import parse_qsl

    query = Query("G & é", "right", "ab", copies=True, start=3, stop=9, seed=4, page=1)
    assert Query.parse(dict(parse_qsl(query.address()[1:]))) == query


def test_heat_counts_every_sample_once():
    """The cells of a row cover all indices, and their counts add up to the states."""
    states = bytes([1] * 500 + [6] * 20 + [0] * 730)
    (row,) = make_heat({"G": states}, cells=100).rows
    assert [cell.worst for cell in row.cells][0 :: len(row.cells) - 1] == ["right", "missing"]
    assert sum(cell.indices.size for cell in row.cells) == 1250
    assert sum(dict(cell.counts).get("foreign", 0) for cell in row.cells) == 20
    assert row.cells[0].indices == IndexRange(0, 494)


def test_heat_has_a_bound():
    """Of more generators than fit, those with most to look at are shown, and the rest is counted."""
    states = {f"G{number}": bytes([1] * 1000) for number in range(5)} | {"bad": bytes([1, 6] * 500)}
    heat = make_heat(states, rows=2, cells=10)
    assert ([row.generator for row in heat.rows], heat.left_off) == (["G0", "bad"], 4)
    assert all(len(row.cells) <= 10 for row in heat.rows)


def test_torn_is_told_from_missing():
    """A sample that is not whole and has a file is torn; an empty object is no file."""
    listed = pl.DataFrame(
        {
            "key": ["questions/G/t_task/t_0001/prompt.txt", "questions/G/t_task/t_0002/prompt.txt"],
            "size": [3, 0],
        }
    )
    assert tell_torn(bytes([1, 0, 0]), listed) == bytes([1, TORN, 0])


@pytest.mark.parametrize(
    "changed",
    [
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1:81"},
        {"Origin": "http://127.0.0.1:81"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_others_are_refused(changed):
    """Another host, origin or site is refused; the page itself is not."""
    assert refusal({**OWN, **changed}, 80)
    assert not refusal({**OWN, "Origin": "http://127.0.0.1:80", "Sec-Fetch-Site": "same-origin"}, 80)


def test_cookie():
    """Only the cookie with the secret counts."""
    assert has_cookie({"Cookie": "a=1; c=secret"}, "c", "secret")
    assert not any(
        has_cookie({"Cookie": text}, "c", "secret") for text in ("", "c=", "c=sécret", "d=secret", "c=[;")
    )


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-", Part(0, 10)),
        ("bytes=2-3", Part(2, 4)),
        ("bytes=-4", Part(6, 10)),
        ("bytes=5-99", Part(5, 10)),
        (None, None),
        ("bytes=0-1,3-4", None),
    ],
)
def test_ranges(header, part):
    """A range of one part gives its bytes; anything else gives the file."""
    assert parse_range(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=5-2", "bytes=-0"])
def test_ranges_of_nothing(header):
    """A range outside of the file is refused."""
    with pytest.raises(ValueError, match="has no bytes"):
        parse_range(header, 10)
