"""The fewest groups without a whole conflict in one."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.fleet.conflicts import conflict
from vbvrdatafactory.fleet.grouping import Conflict, group
from vbvrdatafactory.fleet.requirements import normalise

REQUIREMENTS = Path(__file__).parents[1] / "data" / "requirements"
MOST = 6


def is_right(groups: tuple[tuple[int, ...], ...], conflicts: list[Conflict]) -> bool:
    return not any(one <= set(group) for one in conflicts for group in groups)


def fewest(count: int, conflicts: list[Conflict]) -> int:
    """By trying every assignment."""
    for colours in range(1, count + 1):
        for assigned in product(range(colours), repeat=count):
            if all(len({assigned[n] for n in one}) > 1 for one in conflicts):
                return colours
    return 0


@given(st.data())
def test_no_fewer_groups_would_do(data: st.DataObject) -> None:
    """Against every other assignment of up to six sets, with conflicts of two and three."""
    count = data.draw(st.integers(0, MOST))
    pairs = st.frozensets(st.integers(0, max(count - 1, 0)), min_size=2, max_size=3)
    conflicts = data.draw(st.lists(pairs, max_size=8)) if count > 2 else []
    found = group(count, conflicts)
    assert sorted(number for one in found.groups for number in one) == list(range(count))
    assert is_right(found.groups, conflicts)
    assert (len(found.groups), found.is_fewest) == (fewest(count, conflicts), True)


def test_what_could_be_anywhere_goes_where_most_are() -> None:
    """A set without a conflict joins the largest group."""
    assert group(5, [frozenset({0, 4})]).groups == ((0, 1, 2, 3), (4,))


@pytest.mark.parametrize("count", [40, 300])
def test_a_large_fleet_is_quick(count: int) -> None:
    """Hundreds of different sets in conflict by their remainder of seven are seven groups."""
    conflicts = [frozenset({a, b}) for a in range(count) for b in range(a) if a % 7 != b % 7]
    assert len(group(count, conflicts).groups) == 7


def test_public_requirements_need_three_environments() -> None:
    """59 requirement files of public generators, and ours, are three groups by their own words: fewer are impossible."""
    texts = [path.read_text(encoding="utf-8").splitlines() for path in sorted(REQUIREMENTS.glob("*.txt"))]
    asked = {
        normalise(line.partition("#")[0] for line in lines if line.partition("#")[0].strip())
        for lines in texts
    }
    sets = sorted({*asked, ("av>=14,<20", "numpy>=2,<3", "pillow>=11,<14")})
    conflicts = [frozenset({a, b}) for a in range(len(sets)) for b in range(a) if conflict(sets[a], sets[b])]
    found = group(len(sets), conflicts)
    assert (len(texts), len(sets), len(found.groups), found.is_fewest) == (59, 12, 3, True)
