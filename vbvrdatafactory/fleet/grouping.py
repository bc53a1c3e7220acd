"""Puts sets of requirements into as few groups as can be, given which of them can't be together. Pure.

That is the colouring of a graph whose edges are conflicts; some join more than two sets. The search is exact up to a
number of steps that a fleet's few dozen different sets do not reach; what it finds after that is a good grouping.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

_STEPS = 200_000

# Numbers of sets that can't all be in one group.
Conflict = frozenset[int]


class Grouping(NamedTuple):
    """Groups of set numbers.

    Args:
        groups: each sorted; the group of the first set first.
        is_fewest: whether fewer are impossible.
    """

    groups: tuple[tuple[int, ...], ...]
    is_fewest: bool


def group(count: int, conflicts: Iterable[Conflict]) -> Grouping:
    """The fewest groups of the sets 0 … `count` - 1 in which no conflict is whole.

    Args:
        count: how many sets; the first are placed first, so put what many ask for there.
        conflicts: which sets can't be in one group.

    >>> group(3, [frozenset({0, 1})])
    Grouping(groups=((0, 2), (1,)), is_fewest=True)
    """
    search = _Search(count, conflicts)
    search.place(0, [])
    return Grouping(tuple(tuple(sorted(one)) for one in search.best), search.steps <= _STEPS)


class _Search:
    def __init__(self, count: int, conflicts: Iterable[Conflict]) -> None:
        self._of: list[list[Conflict]] = [[] for _ in range(count)]
        for one in conflicts:
            for number in one:
                self._of[number].append(one)
        # Those with many conflicts decide most, so they come first; the order of the others is the caller's.
        self._order = sorted(range(count), key=lambda number: -len(self._of[number]))
        self._lowest = _clique(count, self._of)
        self.best: list[set[int]] = [{number} for number in range(count)]
        self.steps = 0

    def place(self, at: int, groups: list[set[int]]) -> None:
        self.steps += 1
        if len(groups) >= len(self.best) and at:
            return
        if at == len(self._order):
            self.best = sorted((set(one) for one in groups), key=min)
            return
        number = self._order[at]
        for one in self._by_size(groups):
            if not self._clashes(number, one):
                one.add(number)
                self.place(at + 1, groups)
                one.discard(number)
                if self._is_done():
                    return
        self.place(at + 1, [*groups, {number}])

    def _is_done(self) -> bool:
        return len(self.best) <= self._lowest or self.steps > _STEPS

    def _by_size(self, groups: Sequence[set[int]]) -> list[set[int]]:
        return sorted(groups, key=lambda one: (-len(one), min(one)))

    def _clashes(self, number: int, group: set[int]) -> bool:
        return any(conflict - {number} <= group for conflict in self._of[number])


def _clique(count: int, conflicts: Sequence[Sequence[Conflict]]) -> int:
    """How many sets are in conflict with each other, two by two, at least: fewer groups than that can't be."""
    against = [{n for one in mine if len(one) == 2 for n in one} - {at} for at, mine in enumerate(conflicts)]
    most = min(count, 1)
    for start in range(count):
        members, left = [start], set(against[start])
        while left:
            best = max(sorted(left), key=lambda number: len(against[number] & left))
            members.append(best)
            left &= against[best]
        most = max(most, len(members))
    return most
