"""The puzzle as a value: everything that defines it and its answer, and no picture."""

import math
import random
from dataclasses import dataclass
from typing import Any

Point = tuple[float, float]

COLOURS = {"red": (214, 64, 69), "blue": (52, 104, 214), "green": (36, 140, 92)}


@dataclass(frozen=True)
class Puzzle:
    """A dot has to reach a ring; places are shares of the picture's side."""

    dot: Point
    ring: Point
    colour: str

    def parameters(self) -> dict[str, Any]:
        """Return what metadata.json keeps: JSON values only, the answer included, never the seed."""
        return {"dot": list(self.dot), "ring": list(self.ring), "colour": self.colour}


def _place(rng: random.Random) -> Point:
    return round(rng.uniform(0.15, 0.85), 3), round(rng.uniform(0.15, 0.85), 3)


def make_puzzle(rng: random.Random, shortest_way: float) -> Puzzle:
    while True:
        dot, ring = _place(rng), _place(rng)
        if math.dist(dot, ring) >= shortest_way:
            return Puzzle(dot, ring, rng.choice(list(COLOURS)))
