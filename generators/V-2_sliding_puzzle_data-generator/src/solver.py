"""Shortest solutions of a 3 x 3 sliding puzzle: iterative deepening with the Manhattan distance (IDA*)."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import count, islice

SIDE = 3
EMPTY = 0

Board = tuple[int, ...]
Distances = tuple[tuple[int, ...], ...]


def _cells_beside(cell: int) -> tuple[int, ...]:
    row, column = divmod(cell, SIDE)
    around = ((row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column))
    return tuple(r * SIDE + c for r, c in around if 0 <= r < SIDE and 0 <= c < SIDE)


BESIDE = tuple(_cells_beside(cell) for cell in range(SIDE * SIDE))


def slide(board: Board, empty: int, cell: int) -> Board:
    """Slide the tile of a cell into the empty one."""
    after = list(board)
    after[empty], after[cell] = after[cell], EMPTY
    return tuple(after)


def steps(board: Board) -> list[Board]:
    empty = board.index(EMPTY)
    return [slide(board, empty, cell) for cell in BESIDE[empty]]


@lru_cache(maxsize=128)
def distances(goal: Board) -> Distances:
    """Return [tile][cell] -> how many slides that tile needs at least; the empty cell needs none."""
    home = [divmod(goal.index(tile), SIDE) for tile in range(SIDE * SIDE)]
    cells = [divmod(cell, SIDE) for cell in range(SIDE * SIDE)]
    table = [tuple(abs(r - hr) + abs(c - hc) for r, c in cells) for hr, hc in home]
    return ((0,) * len(cells), *table[1:])


def shortest_solutions(start: Board, goal: Board, at_most: int) -> list[tuple[Board, ...]]:
    """Return up to `at_most` shortest solutions, each as its boards. The goal must be reachable."""
    table = distances(goal)
    least = sum(table[tile][cell] for cell, tile in enumerate(start))
    # Every slide changes the parity of the distance, so solutions are an even number of moves longer than it.
    tries = (islice(_within(moves, least, [start], table), at_most) for moves in count(least, 2))
    return next(filter(None, map(list, tries)))


def _within(moves: int, least: int, path: list[Board], table: Distances) -> Iterator[tuple[Board, ...]]:
    """Yield every way to the goal that takes exactly `moves` more; `least` is the distance still to go."""
    if moves == 0:
        yield tuple(path)
        return
    board = path[-1]
    empty = board.index(EMPTY)
    for cell in BESIDE[empty]:
        tile = board[cell]
        still = least + table[tile][empty] - table[tile][cell]
        if still >= moves:
            continue
        after = slide(board, empty, cell)
        if len(path) == 1 or after != path[-2]:
            path.append(after)
            yield from _within(moves - 1, still, path, table)
            path.pop()
