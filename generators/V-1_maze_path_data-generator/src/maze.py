"""Mazes with exactly one shortest path from start to goal."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Cell = tuple[int, int]
Walls = tuple[str, ...]

WALL, OPEN = "#", "."


@dataclass(frozen=True)
class Maze:
    """A maze of size x size cells. Cell (row, column) is `grid[2*row+1][2*column+1]`, between them are walls."""

    size: int
    grid: Walls
    start: Cell
    goal: Cell
    path: tuple[Cell, ...]
    colour: str

    @property
    def moves(self) -> int:
        return len(self.path) - 1

    def parameters(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "grid": list(self.grid),
            "start": list(self.start),
            "goal": list(self.goal),
            "shortest_path": [list(cell) for cell in self.path],
            "moves": self.moves,
            "colour": self.colour,
        }


def neighbours(size: int, cell: Cell) -> list[Cell]:
    row, column = cell
    around = ((row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1))
    return [(r, c) for r, c in around if 0 <= r < size and 0 <= c < size]


def _between(a: Cell, b: Cell) -> Cell:
    return a[0] + b[0] + 1, a[1] + b[1] + 1


def open_neighbours(grid: Walls, cell: Cell) -> Iterator[Cell]:
    for other in neighbours(len(grid) // 2, cell):
        row, column = _between(cell, other)
        if grid[row][column] == OPEN:
            yield other


def carve(rng: random.Random, size: int, loops: int) -> Walls:
    """Carve a maze that reaches every cell, then take out `loops` more walls so that there are detours."""
    grid = [[WALL] * (2 * size + 1) for _ in range(2 * size + 1)]
    stack = [(rng.randrange(size), rng.randrange(size))]
    grid[2 * stack[0][0] + 1][2 * stack[0][1] + 1] = OPEN
    while stack:
        cell = stack[-1]
        unseen = [(r, c) for r, c in neighbours(size, cell) if grid[2 * r + 1][2 * c + 1] == WALL]
        if not unseen:
            stack.pop()
            continue
        row, column = rng.choice(unseen)
        grid[2 * row + 1][2 * column + 1] = OPEN
        _open_wall(grid, cell, (row, column))
        stack.append((row, column))
    for a, b in rng.sample(_closed_walls(grid, size), loops):
        _open_wall(grid, a, b)
    return tuple("".join(row) for row in grid)


def _open_wall(grid: list[list[str]], a: Cell, b: Cell) -> None:
    row, column = _between(a, b)
    grid[row][column] = OPEN


def _closed_walls(grid: list[list[str]], size: int) -> list[tuple[Cell, Cell]]:
    cells = [(row, column) for row in range(size) for column in range(size)]
    pairs = [(a, b) for a in cells for b in neighbours(size, a) if a < b]
    return [(a, b) for a, b in pairs if grid[a[0] + b[0] + 1][a[1] + b[1] + 1] == WALL]


def shortest_paths_from(grid: Walls, start: Cell) -> tuple[dict[Cell, Cell], dict[Cell, int]]:
    """Return each cell's predecessor on a shortest path from start, and how many shortest paths reach it."""
    before, count, distance = {start: start}, {start: 1}, {start: 0}
    queue = deque([start])
    while queue:
        cell = queue.popleft()
        for other in open_neighbours(grid, cell):
            if other not in distance:
                before[other], count[other], distance[other] = cell, 0, distance[cell] + 1
                queue.append(other)
            if distance[other] == distance[cell] + 1:
                count[other] += count[cell]
    return before, count


def _walk_back(before: dict[Cell, Cell], goal: Cell) -> tuple[Cell, ...]:
    path = [goal]
    while before[path[-1]] != path[-1]:
        path.append(before[path[-1]])
    return tuple(reversed(path))


def make_maze(rng: random.Random, size: int, loops: int, longest: int, colour: str) -> Maze:
    """Draw mazes until one has a start and goal whose only shortest path is neither short nor long."""
    while True:
        grid = carve(rng, size, loops)
        start = (rng.randrange(size), rng.randrange(size))
        before, count = shortest_paths_from(grid, start)
        paths = [_walk_back(before, goal) for goal in sorted(before) if count[goal] == 1]
        fit = [path for path in paths if size <= len(path) - 1 <= longest]
        if fit:
            path = rng.choice(fit)
            return Maze(size, grid, start, path[-1], path, colour)
