"""Numbers that look random and follow from a seed: the same on every machine and in every version."""

from hashlib import sha256

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]


def word(text: str) -> int:
    """The first 64 bits of the SHA-256 of a text."""
    return int.from_bytes(sha256(text.encode()).digest()[:8])


def mix(values: Words, seed: str) -> Words:
    """A random-looking word for each value; another seed gives others. Different values give different words.

    It is the last step of SplitMix64 (Steele, Lea and Flood 2014).
    """
    z = values.astype(np.uint64) + np.uint64(word(seed))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
