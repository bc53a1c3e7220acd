"""Anti-aliased drawing: still art by supersampling, balls by exact coverage of each pixel."""

from collections.abc import Callable

import numpy as np
from core import Frame
from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

SUPERSAMPLING = 4
# Where the light comes from, and how the ball's colour changes towards it and towards the rim.
LIGHT: Point = (-0.35, -0.4)
GLOSS, SHADE = 0.75, 0.35


def still(size: int, background: Colour, draw: Callable[[ImageDraw.ImageDraw, float], None]) -> Frame:
    """Draw on a canvas four times as large and reduce it; `draw` gets the large canvas's side."""
    side = size * SUPERSAMPLING
    image = Image.new("RGB", (side, side), background)
    draw(ImageDraw.Draw(image), float(side))
    return np.array(image.reduce(SUPERSAMPLING))


def blend(a: Frame, b: Frame, share: float) -> Frame:
    return np.rint(a + (b.astype(np.float32) - a) * np.float32(share)).astype(np.uint8)


def paint_ball(frame: Frame, centre: Point, radius: float, colour: Colour) -> None:
    """Paint a lit ball at any sub-pixel place, in place."""
    left, top = (max(0, int(v - radius - 1)) for v in centre)
    box = (slice(top, int(centre[1] + radius + 2)), slice(left, int(centre[0] + radius + 2)))
    part = frame[box].astype(np.float32)
    x = (np.arange(part.shape[1], dtype=np.float32)[None, :] + left + 0.5 - centre[0]) / radius
    y = (np.arange(part.shape[0], dtype=np.float32)[:, None] + top + 0.5 - centre[1]) / radius
    distance = np.sqrt(x * x + y * y)
    gloss = GLOSS * np.clip(1 - 2.2 * np.sqrt((x - LIGHT[0]) ** 2 + (y - LIGHT[1]) ** 2), 0, 1) ** 1.5
    shade = 1 - SHADE * np.clip(distance, 0, 1) ** 3
    ball = np.array(colour, dtype=np.float32) * shade[:, :, None]
    ball += gloss[:, :, None] * (255 - ball)
    coverage = np.clip((1 - distance) * radius + 0.5, 0, 1)
    part += coverage[:, :, None] * (ball - part)
    frame[box] = np.rint(part).astype(np.uint8)
