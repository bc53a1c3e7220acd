"""The puzzle's answer, replayed move by move and measured against a search of the tests' own."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.generators.program import PUZZLE, Program, parameters

Board = tuple[int, ...]
Puzzle = dict[str, Any]

STEPS = {"up": -3, "down": 3, "left": -1, "right": 1}


@pytest.fixture
def some(puzzles: Callable[[Program], list[Puzzle]]) -> list[Puzzle]:
    return puzzles(PUZZLE)[:80]


def flat(rows: list[list[int]]) -> Board:
    return tuple(tile for row in rows for tile in row)


def around(board: Board) -> list[Board]:
    hole = board.index(0)
    cells = [c for c in range(9) if abs(c // 3 - hole // 3) + abs(c % 3 - hole % 3) == 1]
    after = []
    for cell in cells:
        swapped = list(board)
        swapped[hole], swapped[cell] = board[cell], 0
        after.append(tuple(swapped))
    return after


def ways(start: Board, depth: int) -> list[dict[Board, int]]:
    """Return, for each number of moves, the boards first reached with it and in how many ways."""
    layers, seen = [{start: 1}], {start}
    for _ in range(depth):
        layer: dict[Board, int] = {}
        for board, count in layers[-1].items():
            for after in around(board):
                if after not in seen:
                    layer[after] = layer.get(after, 0) + count
        seen |= set(layer)
        layers.append(layer)
    return layers


def test_the_moves_solve_it(some: list[Puzzle]) -> None:
    """Replayed from the start, every move slides its tile in its direction into the empty cell, up to the goal."""
    for puzzle in some:
        board = list(flat(puzzle["start"]))
        for move in puzzle["moves"]:
            tile = board.index(move["tile"])
            hole = tile + STEPS[move["direction"]]
            assert tuple(board) in around(
                tuple(board[i] if i not in (tile, hole) else board[tile + hole - i] for i in range(9))
            )
            assert board[hole] == 0
            board[tile], board[hole] = 0, move["tile"]
        assert tuple(board) == flat(puzzle["goal"])
        assert len(puzzle["moves"]) == puzzle["num_moves"]


def test_no_shorter_and_no_other_solution(some: list[Puzzle]) -> None:
    """Two searches that meet in the middle find that number of moves, no fewer, and a single way to do it."""
    for puzzle in some:
        moves = puzzle["num_moves"]
        there, back = ways(flat(puzzle["start"]), (moves + 1) // 2), ways(flat(puzzle["goal"]), moves // 2)
        meetings = [
            (i + j, board)
            for i, a in enumerate(there)
            for j, b in enumerate(back)
            for board in a.keys() & b.keys()
        ]
        assert min(meetings)[0] == moves
        assert sum(there[-1][board] * back[-1][board] for board in there[-1].keys() & back[-1].keys()) == 1


def test_difficulties_are_mixed(puzzles: Callable[[Program], list[Puzzle]]) -> None:
    """Every number of moves from 10 to 18 is about as frequent as any other."""
    numbers = [puzzle["num_moves"] for puzzle in puzzles(PUZZLE)]
    counts = [numbers.count(moves) for moves in range(10, 19)]
    assert sum(counts) == len(numbers)
    assert max(counts) < 1.6 * min(counts)


def test_the_prompt_states_goal_and_move_count(made: Callable[[Program], list[Path]]) -> None:
    """The prompt spells the goal row by row and the number of moves as the metadata has them."""
    for sample in made(PUZZLE):
        puzzle, prompt = parameters(sample), (sample / "prompt.txt").read_text()
        goal = " / ".join(" ".join(str(tile or "empty") for tile in row) for row in puzzle["goal"])
        assert f": {goal}." in prompt
        assert str(puzzle["num_moves"]) in re.findall(r"\b\d\d\b", prompt)
