"""The box as pictures: launch arrows first, then the motion, then the zone in the colour of the ball inside."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from core import Frame
from PIL import ImageDraw

from .physics import Ball, Balls, simulate
from .raster import Colour, Point, blend, paint_ball, still
from .task import Launch, Task

# Large areas use colours that survive the way through yuv420p unchanged.
NIGHT: Colour = (24, 27, 49)
BOX: Colour = (36, 43, 68)
FRAME: Colour = (150, 162, 196)
ZONE_FILL: Colour = (58, 68, 100)
ZONE_EDGE: Colour = (214, 220, 238)

COLOURS: dict[str, Colour] = {
    "red": (240, 78, 84),
    "orange": (250, 156, 50),
    "yellow": (246, 216, 74),
    "green": (80, 200, 120),
    "blue": (76, 150, 246),
    "pink": (244, 130, 200),
}

MARGIN = 0.06
HOLD_FRAMES = 5
FADE_FRAMES = 3


@dataclass(frozen=True)
class Scene:
    task: Task
    size: int
    fps: int

    @cached_property
    def bare(self) -> Frame:
        return still(self.size, NIGHT, self._draw_box)

    @cached_property
    def launch(self) -> Frame:
        return self._with_balls(still(self.size, NIGHT, self._draw_launch), self.task.balls)

    @cached_property
    def answer(self) -> Frame:
        return self._with_balls(still(self.size, NIGHT, self._draw_answer), self.task.final)

    def frames(self) -> Iterator[Frame]:
        times = [frame / self.fps for frame in range(1, round(self.task.duration * self.fps) + 1)]
        start, end = (self._with_balls(self.bare, balls) for balls in (self.task.balls, self.task.final))
        yield from (self.launch for _ in range(HOLD_FRAMES))
        yield from (blend(self.launch, start, (i + 1) / FADE_FRAMES) for i in range(FADE_FRAMES))
        for balls, _ in simulate(self.task.balls, self.task.radius, times):
            yield self._with_balls(self.bare, balls)
        yield from (blend(end, self.answer, (i + 1) / FADE_FRAMES) for i in range(FADE_FRAMES))
        yield from (self.answer for _ in range(HOLD_FRAMES))

    def _with_balls(self, board: Frame, balls: Balls) -> Frame:
        frame = board.copy()
        for launch, ball in zip(self.task.launches, balls, strict=True):
            at = _place(ball.x, ball.y, self.size)
            paint_ball(frame, at, self.task.radius * self.size * (1 - 2 * MARGIN), COLOURS[launch.colour])
        return frame

    def _draw_box(self, draw: ImageDraw.ImageDraw, side: float) -> None:
        self._draw_zone(draw, side, ZONE_FILL, ZONE_EDGE)

    def _draw_launch(self, draw: ImageDraw.ImageDraw, side: float) -> None:
        self._draw_box(draw, side)
        for launch in self.task.launches:
            _draw_arrow(draw, side, launch, self.task.radius)

    def _draw_answer(self, draw: ImageDraw.ImageDraw, side: float) -> None:
        colour = COLOURS[self.task.answer]
        self._draw_zone(draw, side, _mix(BOX, colour, 0.32), colour)

    def _draw_zone(self, draw: ImageDraw.ImageDraw, side: float, fill: Colour, edge: Colour) -> None:
        line = 0.012 * side
        low, high = MARGIN * side, (1 - MARGIN) * side
        outer = (low - line, low - line, high + line, high + line)
        draw.rounded_rectangle(outer, radius=line, fill=FRAME)
        draw.rectangle((low, low, high, high), fill=BOX)
        left, bottom, right, top = self.task.zone
        corners = (*_place(left, top, side), *_place(right, bottom, side))
        draw.rounded_rectangle(corners, radius=2 * line, fill=fill, outline=edge, width=round(0.8 * line))


def _place(x: float, y: float, side: float) -> Point:
    """Turn a place in the box, where y runs up, into one in the picture."""
    inner = side * (1 - 2 * MARGIN)
    return side * MARGIN + x * inner, side * MARGIN + (1 - y) * inner


def _draw_arrow(draw: ImageDraw.ImageDraw, side: float, launch: Launch, radius: float) -> None:
    """Draw an arrow from the ball's rim in the direction of its launch."""
    angle = math.radians(launch.angle)
    right, up = math.cos(angle), math.sin(angle)

    def point(along: float, across: float) -> Point:
        return _at(launch.ball, right * along - up * across, up * along + right * across, side)

    tip = launch.arrow
    colour = _mix(COLOURS[launch.colour], (255, 255, 255), 0.45)
    width, head = 0.009, 0.05
    draw.polygon(
        [point(radius, width), point(tip - head, width), point(tip - head, -width), point(radius, -width)],
        fill=colour,
    )
    draw.polygon(
        [point(tip, 0), point(tip - head, 0.55 * head), point(tip - head, -0.55 * head)], fill=colour
    )


def _at(ball: Ball, dx: float, dy: float, side: float) -> Point:
    return _place(ball.x + dx, ball.y + dy, side)


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue
