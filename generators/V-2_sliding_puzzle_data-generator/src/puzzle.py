"""Sliding puzzles on a 3 x 3 board that have exactly one shortest solution."""

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .solver import EMPTY, SIDE, Board, shortest_solutions, steps

SPIRAL = (0, 1, 2, 5, 8, 7, 6, 3, 4)

# How the numbers run over the cells of a solved board; the empty cell may be anywhere among them.
ORDERS: dict[str, tuple[int, ...]] = {
    "rows": tuple(range(9)),
    "columns": (0, 3, 6, 1, 4, 7, 2, 5, 8),
    "snake": (0, 1, 2, 5, 4, 3, 6, 7, 8),
    "spiral": SPIRAL,
    "rows backwards": tuple(reversed(range(9))),
    "spiral backwards": tuple(reversed(SPIRAL)),
}

DIRECTIONS = {1: "left", -1: "right", SIDE: "up", -SIDE: "down"}


@dataclass(frozen=True)
class Puzzle:
    """`boards` runs from the start to the goal, one slide at a time; 0 is the empty cell."""

    boards: tuple[Board, ...]
    goal_order: str
    palette: str

    @property
    def moves(self) -> int:
        return len(self.boards) - 1

    def slides(self) -> list[tuple[int, int, int]]:
        """Return (tile, from cell, to cell) of every move."""
        return [(a[b.index(EMPTY)], b.index(EMPTY), a.index(EMPTY)) for a, b in pairwise(self.boards)]

    def parameters(self) -> dict[str, Any]:
        return {
            "size": SIDE,
            "start": rows(self.boards[0]),
            "goal": rows(self.boards[-1]),
            "goal_order": self.goal_order,
            "moves": [{"tile": t, "direction": DIRECTIONS[a - b]} for t, a, b in self.slides()],
            "num_moves": self.moves,
            "palette": self.palette,
        }


def rows(board: Board) -> list[list[int]]:
    return [list(board[i : i + SIDE]) for i in range(0, len(board), SIDE)]


def solved_board(order: str, empty: int) -> Board:
    """Return the board whose tiles 1 to 8 follow an order of cells, skipping the empty cell."""
    board = [EMPTY] * len(ORDERS[order])
    for number, cell in enumerate((c for c in ORDERS[order] if c != empty), start=1):
        board[cell] = number
    return tuple(board)


def _scramble(rng: random.Random, board: Board, moves: int) -> Board:
    """Slide at random, never straight back."""
    previous = board
    for _ in range(moves):
        previous, board = board, rng.choice([b for b in steps(board) if b != previous])
    return board


def make_puzzle(rng: random.Random, moves: int, palette: str) -> Puzzle:
    """Scramble a solved board until there is one shortest way back and it has exactly `moves` moves."""
    order = rng.choice(list(ORDERS))
    goal = solved_board(order, rng.randrange(SIDE * SIDE))
    while True:
        start = _scramble(rng, goal, moves)
        solutions = shortest_solutions(start, goal, at_most=2)
        if len(solutions) == 1 and len(solutions[0]) == moves + 1:
            return Puzzle(solutions[0], order, palette)
