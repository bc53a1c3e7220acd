"""What the maze task says: what is seen, the rule, and what the video must show."""

import random

from .maze import Cell, Maze

SCENES = (
    (
        "A square maze of {size} by {size} cells is seen from above; its walls are dark lines. "
        "A {colour} disc stands on the green cell in {start}. The goal is the yellow cell with a star in {goal}."
    ),
    (
        "The picture shows a {size} by {size} maze with dark walls. A {colour} disc waits on the green cell in {start}, "
        "and a star on a yellow cell marks the goal in {goal}."
    ),
    (
        "We look down on a maze, {size} cells wide and {size} cells high, with dark walls. The {colour} disc is on the "
        "green start cell in {start}, and the star on its yellow cell is in {goal}."
    ),
)
COUNTING = "Rows are counted from the top and columns from the left."
RULES = (
    "The disc moves from cell to cell, up, down, left or right, and can never cross a wall.",
    "The disc may only pass through openings between neighbouring cells: no crossing walls, no diagonal steps.",
    "Only straight steps into a neighbouring cell are allowed, and only where no wall stands between the two.",
)
VIDEOS = (
    (
        "Show the disc travelling the shortest path to the star at a steady speed, leaving a light {colour} trail behind "
        "it. The maze does not change, and the disc stops on the star."
    ),
    (
        "The video shows the disc taking the shortest way to the star, with a light {colour} trail marking where it has "
        "been. Everything else stays still, and at the end the disc rests on the star."
    ),
    (
        "Animate the disc along the shortest route until it rests on the star. A light {colour} trail shows the whole "
        "route at the end, and the walls stay as they are."
    ),
)


def place(cell: Cell) -> str:
    """Name a cell as people do, counting from one."""
    return f"row {cell[0] + 1}, column {cell[1] + 1}"


def write_prompt(rng: random.Random, maze: Maze) -> str:
    scene, rule, video = (rng.choice(choices) for choices in (SCENES, RULES, VIDEOS))
    text = f"{scene} {COUNTING} {rule} {video}"
    return text.format(size=maze.size, colour=maze.colour, start=place(maze.start), goal=place(maze.goal))
