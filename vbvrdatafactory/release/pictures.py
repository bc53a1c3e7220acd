"""Whether two pictures show the same, though their bytes differ: another size, another encoder, a slight loss.

A perceptual hash finds candidates, and small copies of both decide: puzzles of one generator look alike as a whole, and differ in
one place.
"""

import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vbvrdatafactory.core.errors import ReleaseError

_HASH_SIDE, _SMALL_SIDE = 16, 64
# Of 256 bits, those that may differ in a candidate.
_MOST_BITS = 48
# Of 255, how much a place of the small copies may differ. Drawings of 512 and 1024 pixels as JPEG, WebP or in a third of their
# size differ by 54 at most; a square of 8 pixels in another place differs by 87 at least.
_MOST_DIFFERENCE = 60
_MOST_PIXELS = 64_000_000

Bits = npt.NDArray[np.uint64]
Small = npt.NDArray[np.int16]


class Look(NamedTuple):
    """What a picture looks like: its perceptual hash, 4 words, and a small copy, 64 x 64 x 3."""

    bits: Bits
    small: Small


class Looks(NamedTuple):
    """What many pictures look like, one after the other."""

    bits: Bits
    small: Small

    @classmethod
    def of(cls, looks: list[Look]) -> "Looks":
        """Those of a list."""
        return cls(
            np.array([look.bits for look in looks], np.uint64).reshape(-1, 4),
            np.array([look.small for look in looks], np.int16).reshape(-1, _SMALL_SIDE, _SMALL_SIDE, 3),
        )

    def find(self, look: Look) -> int | None:
        """The first that shows the same; None where none does."""
        near = np.flatnonzero(np.bitwise_count(self.bits ^ look.bits).sum(axis=1) <= _MOST_BITS)
        for at in near:
            if np.abs(self.small[at] - look.small).max() <= _MOST_DIFFERENCE:
                return int(at)
        return None


def look_at(data: bytes) -> Look | None:
    """What a picture looks like; None where it can't be decoded.

    Raises:
        ReleaseError: the extra ``release`` is not installed.
    """
    try:
        import imagehash  # noqa: PLC0415 - an extra
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ReleaseError(f"{error.name} is missing; pip install 'vbvrdatafactory[release]'") from error
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            rgb = image.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None
    flags = np.asarray(imagehash.phash(rgb, hash_size=_HASH_SIDE).hash, bool)
    small = rgb.resize((_SMALL_SIDE, _SMALL_SIDE), Image.Resampling.BOX)
    return Look(np.packbits(flags).view(np.uint64), np.asarray(small, np.int16))
