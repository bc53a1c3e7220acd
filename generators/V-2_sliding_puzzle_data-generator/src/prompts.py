"""What the sliding puzzle says: what is seen, the rule, the goal, and what the video must show."""

import random

from .puzzle import Puzzle, rows
from .solver import EMPTY, Board

SCENES = (
    "A 3 by 3 tray holds eight tiles numbered 1 to 8 and one empty cell.",
    "The picture shows a sliding puzzle: eight numbered tiles and one empty cell in a 3 by 3 tray.",
    "We look at a 3 by 3 sliding puzzle with the tiles 1 to 8 and a single empty cell.",
)
RULES = (
    "A tile may only slide into the empty cell when it is directly above, below, left or right of it.",
    "In one move, one tile beside the empty cell slides straight into it; tiles are never lifted or swapped.",
    "The only legal move is to slide a neighbouring tile, not a diagonal one, into the empty cell.",
)
GOALS = (
    "The goal is, row by row from the top: {goal}.",
    "Bring the tiles into this order, row by row from the top: {goal}.",
    "It is solved when the rows read, from top to bottom: {goal}.",
)
VIDEOS = (
    (
        "The shortest solution takes exactly {moves} moves. Show these {moves} slides one after the other, with all "
        "other tiles at rest, until the goal is reached."
    ),
    (
        "It can be done in {moves} moves and no fewer. The video shows those {moves} moves, one tile at a time, and ends "
        "on the solved board."
    ),
    (
        "Solve it in the fewest moves possible, which is {moves}: each slide is shown on its own, and the last picture is "
        "the solved board."
    ),
)


def spell(board: Board) -> str:
    """Spell a board out: 1 2 3 / 4 5 6 / 7 8 empty."""
    return " / ".join(" ".join("empty" if t == EMPTY else str(t) for t in row) for row in rows(board))


def write_prompt(rng: random.Random, puzzle: Puzzle) -> str:
    text = " ".join(rng.choice(choices) for choices in (SCENES, RULES, GOALS, VIDEOS))
    return text.format(goal=spell(puzzle.boards[-1]), moves=puzzle.moves)
