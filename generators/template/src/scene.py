"""The puzzle as pictures. Draw each frame when it is asked for, and keep none."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from core import Frame
from PIL import Image, ImageDraw

from .puzzle import COLOURS, Puzzle

PAPER, INK = (251, 247, 241), (49, 65, 94)
HOLD_FRAMES, MOTION_FRAMES = 5, 32
SUPERSAMPLING = 3


@dataclass(frozen=True)
class Scene:
    puzzle: Puzzle
    size: int

    def first(self) -> Frame:
        return self._picture(0)

    def final(self) -> Frame:
        return self._picture(1)

    def frames(self) -> Iterator[Frame]:
        """Yield the video: it begins with the first frame, ends with the final one, and rests on both."""
        yield from (self.first() for _ in range(HOLD_FRAMES))
        yield from (self._picture(step / MOTION_FRAMES) for step in range(1, MOTION_FRAMES))
        yield from (self.final() for _ in range(HOLD_FRAMES))

    def _picture(self, progress: float) -> Frame:
        side = self.size * SUPERSAMPLING
        image = Image.new("RGB", (side, side), PAPER)
        draw = ImageDraw.Draw(image)
        (x0, y0), (x1, y1) = self.puzzle.dot, self.puzzle.ring
        draw.circle((x1 * side, y1 * side), 0.09 * side, outline=INK, width=round(0.015 * side))
        at = (x0 + (x1 - x0) * progress, y0 + (y1 - y0) * progress)
        draw.circle((at[0] * side, at[1] * side), 0.05 * side, fill=COLOURS[self.puzzle.colour])
        return np.asarray(image.reduce(SUPERSAMPLING))
