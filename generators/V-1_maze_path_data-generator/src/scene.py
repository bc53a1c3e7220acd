"""The maze as pictures: the still board, and a disc that walks it and leaves a trail."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from core import Frame
from PIL import ImageDraw

from .maze import WALL, Cell, Maze
from .raster import Colour, Point, capsule, paint, still

# Large areas use colours that survive the way through yuv420p unchanged.
PAPER: Colour = (241, 242, 232)
FLOOR: Colour = (255, 255, 250)
INK: Colour = (49, 65, 94)
START: Colour = (190, 226, 200)
GOAL: Colour = (255, 226, 150)
STAR: Colour = (240, 160, 20)
WHITE: Colour = (255, 255, 255)

# Each disc and the lighter trail it leaves, by the name the prompt uses.
COLOURS: dict[str, tuple[Colour, Colour]] = {
    "blue": ((37, 99, 235), (150, 190, 255)),
    "red": ((220, 50, 60), (250, 165, 165)),
    "purple": ((130, 65, 215), (205, 175, 250)),
    "teal": ((10, 135, 135), (135, 215, 210)),
}

HOLD_FRAMES = 5
FRAMES_PER_MOVE = 3
FEWEST_MOTION_FRAMES, MOST_MOTION_FRAMES = 28, 52
MARGIN = 0.055


@dataclass(frozen=True)
class Scene:
    maze: Maze
    size: int

    @property
    def cell(self) -> float:
        return self.size * (1 - 2 * MARGIN) / self.maze.size

    @cached_property
    def board(self) -> Frame:
        return still(self.size, PAPER, self._draw_board)

    @cached_property
    def corners(self) -> list[Point]:
        return [self._centre(cell, self.size) for cell in self.maze.path]

    def first(self) -> Frame:
        return self._with_disc(self.board, self.corners[0])

    def final(self) -> Frame:
        *_, last = self._walk(1)
        return last

    def frames(self) -> Iterator[Frame]:
        moves = self.maze.moves
        steps = max(FEWEST_MOTION_FRAMES, min(MOST_MOTION_FRAMES, moves * FRAMES_PER_MOVE))
        yield from (self.first() for _ in range(HOLD_FRAMES))
        for frame in self._walk(steps):
            yield frame
        yield from (frame for _ in range(HOLD_FRAMES))

    def _walk(self, steps: int) -> Iterator[Frame]:
        """Move the disc along the path in equal steps; each step adds only its own piece of the trail."""
        canvas, trail = self.board.copy(), np.zeros((self.size, self.size), dtype=np.float32)
        for step in range(1, steps + 1):
            legs = self._legs((step - 1) / steps * self.maze.moves, step / steps * self.maze.moves)
            for a, b in pairwise(legs):
                box, coverage = capsule(self.size, a, b, 0.13 * self.cell)
                np.maximum(trail[box], coverage, out=trail[box])
                canvas[box] = self.board[box]
                paint(canvas, box, trail[box], COLOURS[self.maze.colour][1])
            yield self._with_disc(canvas, legs[-1])

    def _legs(self, begin: float, end: float) -> list[Point]:
        """Return the points of the path between two distances along it, corners included."""
        inner = range(math.floor(begin) + 1, math.ceil(end))
        return [self._at(begin), *(self.corners[i] for i in inner), self._at(end)]

    def _at(self, distance: float) -> Point:
        i = min(int(distance), self.maze.moves - 1)
        (x0, y0), (x1, y1) = self.corners[i], self.corners[i + 1]
        return x0 + (x1 - x0) * (distance - i), y0 + (y1 - y0) * (distance - i)

    def _with_disc(self, frame: Frame, at: Point) -> Frame:
        frame = frame.copy()
        for radius, colour in ((0.31, WHITE), (0.26, COLOURS[self.maze.colour][0])):
            paint(frame, *capsule(self.size, at, at, radius * self.cell), colour)
        return frame

    def _centre(self, cell: Cell, side: float) -> Point:
        pitch = side * (1 - 2 * MARGIN) / self.maze.size
        return side * MARGIN + (cell[1] + 0.5) * pitch, side * MARGIN + (cell[0] + 0.5) * pitch

    def _draw_board(self, draw: ImageDraw.ImageDraw, side: float) -> None:
        pitch = side * (1 - 2 * MARGIN) / self.maze.size
        low, high = side * MARGIN, side * (1 - MARGIN)
        draw.rectangle((low, low, high, high), fill=FLOOR)
        for cell, colour in ((self.maze.start, START), (self.maze.goal, GOAL)):
            x, y = self._centre(cell, side)
            draw.rectangle((x - pitch / 2, y - pitch / 2, x + pitch / 2, y + pitch / 2), fill=colour)
        _draw_star(draw, self._centre(self.maze.goal, side), 0.4 * pitch)
        self._draw_walls(draw, low, pitch)

    def _draw_walls(self, draw: ImageDraw.ImageDraw, low: float, pitch: float) -> None:
        thick = 0.07 * pitch
        grid = self.maze.grid
        for r in range(len(grid)):
            for c in range(len(grid)):
                if grid[r][c] == WALL and r % 2 != c % 2:
                    y0, y1 = low + (r - r % 2) / 2 * pitch, low + (r + r % 2) / 2 * pitch
                    x0, x1 = low + (c - c % 2) / 2 * pitch, low + (c + c % 2) / 2 * pitch
                    box = (x0 - thick, y0 - thick, x1 + thick, y1 + thick)
                    draw.rounded_rectangle(box, radius=thick, fill=INK)


def _draw_star(draw: ImageDraw.ImageDraw, centre: Point, radius: float) -> None:
    points = []
    for i in range(10):
        reach = radius if i % 2 == 0 else radius * 0.45
        angle = math.radians(36 * i - 90)
        points.append((centre[0] + reach * math.cos(angle), centre[1] + reach * math.sin(angle)))
    draw.polygon(points, fill=STAR)
