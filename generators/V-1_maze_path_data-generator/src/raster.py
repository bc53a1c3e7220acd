"""Anti-aliased drawing: still art by supersampling, moving shapes by exact coverage of each pixel."""

from collections.abc import Callable

import numpy as np
from core import Frame
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]
Coverage = NDArray[np.float32]
Box = tuple[slice, slice]

SUPERSAMPLING = 4


def still(size: int, background: Colour, draw: Callable[[ImageDraw.ImageDraw, float], None]) -> Frame:
    """Draw on a canvas four times as large and reduce it; `draw` gets the large canvas's side."""
    side = size * SUPERSAMPLING
    image = Image.new("RGB", (side, side), background)
    draw(ImageDraw.Draw(image), float(side))
    return np.array(image.reduce(SUPERSAMPLING))


def capsule(size: int, a: Point, b: Point, radius: float) -> tuple[Box, Coverage]:
    """Return how much of each pixel lies within `radius` of the segment a-b, and where those pixels are."""
    x0, x1 = (_clip(v, size) for v in (min(a[0], b[0]) - radius - 1, max(a[0], b[0]) + radius + 2))
    y0, y1 = (_clip(v, size) for v in (min(a[1], b[1]) - radius - 1, max(a[1], b[1]) + radius + 2))
    x = np.arange(x0, x1, dtype=np.float32)[None, :] + 0.5 - a[0]
    y = np.arange(y0, y1, dtype=np.float32)[:, None] + 0.5 - a[1]
    dx, dy = b[0] - a[0], b[1] - a[1]
    length2 = dx * dx + dy * dy
    along = np.clip((x * dx + y * dy) / length2, 0, 1) if length2 else 0.0
    distance = np.sqrt((x - along * dx) ** 2 + (y - along * dy) ** 2)
    coverage = np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)
    return (slice(y0, y1), slice(x0, x1)), coverage


def paint(frame: Frame, box: Box, coverage: Coverage, colour: Colour) -> None:
    """Blend a colour into part of a frame, in place."""
    part = frame[box].astype(np.float32)
    part += coverage[:, :, None] * (np.array(colour, dtype=np.float32) - part)
    frame[box] = np.rint(part).astype(np.uint8)


def _clip(value: float, size: int) -> int:
    return max(0, min(size, int(value)))
