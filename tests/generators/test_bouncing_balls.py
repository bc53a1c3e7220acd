"""The balls' motion, held to the laws it claims."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.generators.program import BALLS, Program, parameters

Task = dict[str, Any]

# Of 60 tasks: the radius, 121 moments of (x, y, vx, vy) for each ball, and where balls sent back at the end arrive.
MOTION = """
from src.physics import simulate
motions = []
for task in map(puzzle, range(60)):
    times = [task.duration * k / 120 for k in range(121)]
    moments = [[tuple(b) for b in balls] for balls, _ in simulate(task.balls, task.radius, times)]
    back = tuple(b._replace(vx=-b.vx, vy=-b.vy) for b in task.final)
    ((home, _),) = simulate(back, task.radius, [task.duration])
    motions.append([task.radius, moments, [tuple(b) for b in home]])
print(json.dumps(motions))
"""
COLOURS = {
    "red": (240, 78, 84),
    "orange": (250, 156, 50),
    "yellow": (246, 216, 74),
    "green": (80, 200, 120),
    "blue": (76, 150, 246),
    "pink": (244, 130, 200),
}


@pytest.fixture
def tasks(puzzles: Callable[[Program], list[Task]]) -> list[Task]:
    return puzzles(BALLS)


@dataclass(frozen=True)
class Motion:
    radius: float
    moments: NDArray[np.float64]
    home: NDArray[np.float64]


@pytest.fixture(scope="module")
def motions() -> list[Motion]:
    made = BALLS.evaluate(MOTION)
    return [Motion(radius, np.array(moments), np.array(home)) for radius, moments, home in made]


def folded(position: float, velocity: float, time: float, radius: float) -> float:
    """Return where a ball alone is: on the straight way through mirrored boxes, folded back into one."""
    width = 1 - 2 * radius
    way = (position - radius + velocity * time) % (2 * width)
    return radius + (way if way <= width else 2 * width - way)


def test_balls_stay_in_the_box_and_apart(motions: list[Motion]) -> None:
    """At no moment is a ball through a wall or two balls in each other."""
    for motion in motions:
        places, radius = motion.moments[:, :, :2], motion.radius
        assert places.min() >= radius - 1e-9
        assert places.max() <= 1 - radius + 1e-9
        for i in range(places.shape[1]):
            for j in range(i):
                assert np.linalg.norm(places[:, i] - places[:, j], axis=1).min() >= 2 * radius - 1e-9


def test_energy_is_conserved(motions: list[Motion]) -> None:
    """The balls' energy is at every moment what it was at launch."""
    for motion in motions:
        energy = (motion.moments[:, :, 2:] ** 2).sum(axis=(1, 2))
        assert np.abs(energy / energy[0] - 1).max() < 1e-12


def test_the_motion_runs_backwards_too(motions: list[Motion]) -> None:
    """Sent back with their final velocities, all balls return to where they were launched."""
    for motion in motions:
        assert np.abs(motion.home[:, :2] - motion.moments[0, :, :2]).max() < 1e-9


def test_balls_that_meet_no_other_follow_the_folded_line(tasks: list[Task]) -> None:
    """Without collisions, every final position is the one that mirroring the box gives."""
    alone = [task for task in tasks if task["collisions"] == 0]
    assert len(alone) > 100
    for task in alone:
        for ball in task["balls"]:
            for axis in (0, 1):
                launch = ball["position"][axis], ball["velocity"][axis]
                end = folded(*launch, task["duration_seconds"], task["radius"])
                assert end == pytest.approx(ball["final_position"][axis], abs=2e-6)


def test_collisions_happen(tasks: list[Task]) -> None:
    """A good part of the tasks has balls that collide, and none has more than two collisions."""
    numbers = [task["collisions"] for task in tasks]
    assert sum(number > 0 for number in numbers) > len(tasks) / 5
    assert max(numbers) == 2


def test_one_ball_alone_ends_in_the_zone(tasks: list[Task]) -> None:
    """At the end the answer's ball is wholly in the zone and every other wholly outside; at launch all are outside."""
    for task in tasks:
        zone, radius = task["target_zone"], task["radius"]
        for ball in task["balls"]:
            assert outside(ball["position"], zone) > radius
            if ball["colour"] == task["answer"]:
                assert inside(ball["final_position"], zone) >= radius - 1e-6
            else:
                assert outside(ball["final_position"], zone) > radius


def outside(place: list[float], zone: list[float]) -> float:
    gaps = [max(zone[axis] - place[axis], 0, place[axis] - zone[axis + 2]) for axis in (0, 1)]
    return math.hypot(*gaps)


def inside(place: list[float], zone: list[float]) -> float:
    return min(
        *(place[axis] - zone[axis] for axis in (0, 1)), *(zone[axis + 2] - place[axis] for axis in (0, 1))
    )


@pytest.mark.parametrize(("picture", "where"), [("first", "position"), ("final", "final_position")])
def test_the_pictures_show_the_balls_where_they_are(
    picture: str, where: str, made: Callable[[Program], list[Path]]
) -> None:
    """Each picture has every ball's colour at the ball's place."""
    for sample in made(BALLS):
        pixels = np.asarray(Image.open(sample / f"{picture}_frame.png")).astype(int)
        for ball in parameters(sample)["balls"]:
            x, y = ball[where]
            seen = pixels[int(256 * (0.06 + (1 - y) * 0.88)), int(256 * (0.06 + x * 0.88))]
            assert min(COLOURS, key=lambda name: np.abs(seen - COLOURS[name]).sum()) == ball["colour"]


def test_the_prompt_describes_every_launch(made: Callable[[Program], list[Path]]) -> None:
    """For each ball the prompt gives colour, side, angle and speed that together are its velocity."""
    for sample in made(BALLS):
        task, prompt = parameters(sample), (sample / "prompt.txt").read_text()
        for ball in task["balls"]:
            vx, vy = ball["velocity"]
            angle = round(math.degrees(math.atan2(abs(vy), abs(vx))))
            sides = "right" if vx > 0 else "left", "above" if vy > 0 else "below"
            way = f"goes {sides[0]} at {angle} degrees {sides[1]} the horizontal"
            assert (
                f"The {ball['colour']} ball {way}, at {math.hypot(vx, vy):.2f} box widths a second." in prompt
            )
        assert f"{task['duration_seconds']:g} seconds" in prompt
