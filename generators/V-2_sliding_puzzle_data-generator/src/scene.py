"""The puzzle as pictures: a tray, and tiles that slide in it one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from core import Frame
from PIL import Image, ImageDraw, ImageFont

from .puzzle import Puzzle
from .solver import EMPTY, SIDE, Board

Colour = tuple[int, int, int]

# Large areas use colours that survive the way through yuv420p unchanged.
TABLE: Colour = (230, 226, 220)
TRAY: Colour = (57, 54, 69)
RECESS: Colour = (43, 41, 51)
WHITE: Colour = (255, 255, 255)

# Tile 1 has the first colour, tile 8 the last, those between are mixed.
PALETTES: dict[str, tuple[Colour, Colour]] = {
    "sunset": ((244, 162, 60), (196, 54, 110)),
    "ocean": ((60, 190, 190), (52, 84, 190)),
    "forest": ((160, 196, 70), (20, 122, 104)),
    "berry": ((240, 120, 150), (106, 64, 190)),
}

SUPERSAMPLING = 4
HOLD_FRAMES = 5
MOTION_FRAMES = 50
FEWEST_FRAMES_PER_MOVE, MOST_FRAMES_PER_MOVE = 3, 5
MARGIN, PITCH, GAP = 0.08, 0.28, 0.012


@dataclass(frozen=True)
class Scene:
    puzzle: Puzzle
    size: int

    @cached_property
    def tiles(self) -> list[Image.Image]:
        return tile_pictures(self.size, self.puzzle.palette)

    def first(self) -> Frame:
        return self._picture(self.puzzle.boards[0])

    def final(self) -> Frame:
        return self._picture(self.puzzle.boards[-1])

    def frames(self) -> Iterator[Frame]:
        steps = MOTION_FRAMES // self.puzzle.moves
        steps = max(FEWEST_FRAMES_PER_MOVE, min(MOST_FRAMES_PER_MOVE, steps))
        yield from (self.first() for _ in range(HOLD_FRAMES))
        for board, (_, source, target) in zip(self.puzzle.boards, self.puzzle.slides(), strict=False):
            for step in range(1, steps + 1):
                yield self._picture(board, (source, target, _eased(step / steps)))
        yield from (self.final() for _ in range(HOLD_FRAMES))

    def _picture(self, board: Board, sliding: tuple[int, int, float] = (0, 0, 0.0)) -> Frame:
        """Draw a board; `sliding` is the cell whose tile is on its way, where to, and how far it is."""
        source, target, progress = sliding
        image = tray_picture(self.size).copy()
        for cell, tile in enumerate(board):
            if tile != EMPTY:
                (x, y), (to_x, to_y) = _corner(cell), _corner(target if cell == source else cell)
                at = (x + (to_x - x) * progress, y + (to_y - y) * progress)
                picture = self.tiles[tile]
                image.paste(picture, (round(at[0] * self.size), round(at[1] * self.size)), picture)
        return np.asarray(image)


def _eased(progress: float) -> float:
    return progress * progress * (3 - 2 * progress)


def _corner(cell: int) -> tuple[float, float]:
    row, column = divmod(cell, SIDE)
    return MARGIN + column * PITCH + GAP, MARGIN + row * PITCH + GAP


@lru_cache(maxsize=2)
def tray_picture(size: int) -> Image.Image:
    side = size * SUPERSAMPLING
    image = Image.new("RGB", (side, side), TABLE)
    draw = ImageDraw.Draw(image)
    low, high = (MARGIN - 0.035) * side, (1 - MARGIN + 0.035) * side
    draw.rounded_rectangle((low, low, high, high), radius=0.06 * side, fill=TRAY)
    for cell in range(SIDE * SIDE):
        x, y = (v * side for v in _corner(cell))
        wide = (PITCH - 2 * GAP) * side
        draw.rounded_rectangle((x, y, x + wide, y + wide), radius=0.035 * side, fill=RECESS)
    return image.reduce(SUPERSAMPLING)


@lru_cache(maxsize=8)
def tile_pictures(size: int, palette: str) -> list[Image.Image]:
    """Return the pictures of the tiles by number; number 0 is never drawn."""
    light, dark = PALETTES[palette]
    mixes = [(tile - 1) / (SIDE * SIDE - 2) for tile in range(SIDE * SIDE)]
    colours = [_mix(light, dark, max(0.0, mix)) for mix in mixes]
    return [_tile_picture(round((PITCH - 2 * GAP) * size), n, colour) for n, colour in enumerate(colours)]


def _tile_picture(side: int, number: int, colour: Colour) -> Image.Image:
    large = side * SUPERSAMPLING
    image = Image.new("RGBA", (large, large), (*colour, 0))
    draw = ImageDraw.Draw(image)
    radius, edge = 0.15 * large, 0.05 * large
    draw.rounded_rectangle((0, 0, large - 1, large - 1), radius=radius, fill=_mix(colour, (0, 0, 0), 0.22))
    face = (0, 0, large - 1, large - 1 - edge)
    draw.rounded_rectangle(face, radius=radius, fill=colour)
    font = ImageFont.load_default(0.56 * large)
    left, top, right, bottom = font.getbbox(str(number))
    at = ((large - left - right) / 2, (large - edge - top - bottom) / 2)
    draw.text(at, str(number), font=font, fill=WHITE, stroke_width=0.018 * large, stroke_fill=WHITE)
    return image.reduce(SUPERSAMPLING)


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue
