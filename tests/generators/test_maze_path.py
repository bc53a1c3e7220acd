"""The maze's answer, worked out again from its grid and looked for in its picture."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.generators.program import MAZE, Program, parameters

Cell = tuple[int, int]
Maze = dict[str, Any]


@pytest.fixture
def mazes(puzzles: Callable[[Program], list[Maze]]) -> list[Maze]:
    return puzzles(MAZE)[:100]


@pytest.fixture
def maze_samples(made: Callable[[Program], list[Path]]) -> list[Path]:
    return made(MAZE)


def neighbours(grid: list[str], cell: Cell) -> list[Cell]:
    r, c = cell
    steps = [
        (dr, dc)
        for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0))
        if grid[2 * r + 1 + dr][2 * c + 1 + dc] == "."
    ]
    return [(r + dr, c + dc) for dr, dc in steps]


def shortest(maze: Maze) -> list[list[Cell]]:
    """Return every shortest path from start to goal, by widening all paths one step at a time."""
    goal, paths = tuple(maze["goal"]), [[tuple(maze["start"])]]
    seen: set[Cell] = set()
    while not any(path[-1] == goal for path in paths):
        seen |= {path[-1] for path in paths}
        paths = [[*p, cell] for p in paths for cell in neighbours(maze["grid"], p[-1]) if cell not in seen]
    return [path for path in paths if path[-1] == goal]


def test_the_path_is_the_only_shortest_one(mazes: list[Maze]) -> None:
    """The path in the metadata is a shortest path from start to goal, and there is no other as short."""
    for maze in mazes:
        assert shortest(maze) == [[tuple(cell) for cell in maze["shortest_path"]]]
        assert maze["moves"] == len(maze["shortest_path"]) - 1


def test_every_cell_can_be_reached(mazes: list[Maze]) -> None:
    """No part of a maze is closed off, and its rim is wall all around."""
    for maze in mazes:
        grid, reached = maze["grid"], {tuple(maze["start"])}
        edge = set(reached)
        while edge:
            edge = {cell for known in edge for cell in neighbours(grid, known)} - reached
            reached |= edge
        assert len(reached) == maze["size"] ** 2
        assert {*grid[0], *grid[-1], *(row[0] + row[-1] for row in grid)} == {"#", "##"}


def test_some_mazes_have_detours(mazes: list[Maze]) -> None:
    """Most mazes have loops, so that there are longer ways to avoid."""
    openings = [sum(row.count(".") for row in maze["grid"]) - 2 * maze["size"] ** 2 + 1 for maze in mazes]
    assert min(openings) == 0
    assert sum(loops > 0 for loops in openings) > len(mazes) / 2


def test_the_picture_shows_the_grid(maze_samples: list[Path]) -> None:
    """Between two cells the first picture is dark exactly where the grid has a wall."""
    for sample in maze_samples:
        maze, picture = parameters(sample), np.asarray(Image.open(sample / "first_frame.png")).astype(int)
        low, pitch = 256 * 0.055, 256 * 0.89 / maze["size"]
        for r, row in enumerate(maze["grid"]):
            for c, sign in enumerate(row):
                if r % 2 != c % 2:
                    pixel = picture[round(low + r / 2 * pitch - 0.5), round(low + c / 2 * pitch - 0.5)]
                    assert (pixel.sum() < 300) == (sign == "#"), (sample.name, r, c)


def test_the_prompt_names_the_right_cells(maze_samples: list[Path]) -> None:
    """The prompt gives size, colour, start and goal as the metadata has them."""
    for sample in maze_samples:
        maze, prompt = parameters(sample), (sample / "prompt.txt").read_text()
        cells = [[int(r) - 1, int(c) - 1] for r, c in re.findall(r"row (\d+), column (\d+)", prompt)]
        assert cells == [maze["start"], maze["goal"]]
        assert f"{maze['colour']} disc" in prompt
        assert str(maze["size"]) in prompt
