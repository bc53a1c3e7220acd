"""The heat map: the states of each generator's samples, counted by range of indices."""

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

from vbvrdatafactory.browse.states import QUIET, WORDS
from vbvrdatafactory.core.ranges import IndexRange

MOST_ROWS, MOST_CELLS = 300, 100


class Cell(NamedTuple):
    """Samples of some indices of one generator.

    Args:
        indices: which.
        worst: the state that most of those have which are neither right nor adopted; "right" where there are none.
        share: how many of all have it, above 0 and up to 1.
        counts: how many have each state, the most frequent first.
    """

    indices: IndexRange
    worst: str
    share: float
    counts: tuple[tuple[str, int], ...]


class Row(NamedTuple):
    """The cells of one generator, by index; neighbours of one look are one cell."""

    generator: str
    cells: tuple[Cell, ...]
    samples: int


class Heat(NamedTuple):
    """At most `MOST_ROWS` generators, those with most to look at first; and how many were left off."""

    rows: tuple[Row, ...]
    left_off: int
    totals: tuple[tuple[str, int], ...]


def make_heat(states: Mapping[str, bytes], rows: int = MOST_ROWS, cells: int = MOST_CELLS) -> Heat:
    """Count the states of all generators' samples.

    Args:
        states: of each generator one byte for each index.
        rows: show so many generators.
        cells: cut each into so many ranges at the most.
    """
    quiet = {name: sum(map(found.count, QUIET)) / (len(found) or 1) for name, found in states.items()}
    shown = sorted(states, key=lambda name: (quiet[name], name))[:rows]
    longest = max(map(len, states.values()), default=0)
    width = max(1, -(-longest // cells))
    return Heat(
        tuple(Row(name, _cells(states[name], width), len(states[name])) for name in sorted(shown)),
        len(states) - len(shown),
        _named(sum((_count(found) for found in states.values()), Counter[int]())),
    )


def _cells(states: bytes, width: int) -> tuple[Cell, ...]:
    cut = [_cell(states, start, min(start + width, len(states))) for start in range(0, len(states), width)]
    return tuple(
        _joined(list(alike)) for _, alike in groupby(cut, key=lambda cell: (cell.worst, round(cell.share, 1)))
    )


def _cell(states: bytes, start: int, stop: int) -> Cell:
    return _look(IndexRange(start, stop), _named(_count(states[start:stop])))


def _joined(cells: list[Cell]) -> Cell:
    total: Counter[str] = Counter()
    for cell in cells:
        total.update(dict(cell.counts))
    return _look(IndexRange(cells[0].indices.start, cells[-1].indices.stop), tuple(total.most_common()))


def _look(indices: IndexRange, counts: tuple[tuple[str, int], ...]) -> Cell:
    quiet = {WORDS[state] for state in QUIET}
    worst, count = next(
        ((word, count) for word, count in counts if word not in quiet), ("right", indices.size)
    )
    return Cell(indices, worst, count / indices.size, counts)


def _count(states: bytes) -> Counter[int]:
    return Counter({code: count for code in WORDS if (count := states.count(code))})


def _named(counts: Counter[int]) -> tuple[tuple[str, int], ...]:
    return tuple((WORDS[code], count) for code, count in counts.most_common())
