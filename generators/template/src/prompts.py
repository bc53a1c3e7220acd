"""What the task says: what is seen, the rule, and what the video must show."""

import random

from .puzzle import Puzzle

PROMPTS = (
    (
        "A {colour} dot and a dark ring lie on a light ground. The dot moves in a straight line and at a steady speed; "
        "show it travelling to the ring, which stays where it is, until it rests in the ring's centre."
    ),
    (
        "The picture shows a {colour} dot and a dark ring. Show the dot going straight to the centre of the ring at a "
        "steady speed and stopping there. Nothing else changes."
    ),
)


def write_prompt(rng: random.Random, puzzle: Puzzle) -> str:
    return rng.choice(PROMPTS).format(colour=puzzle.colour)
