"""Launches whose outcome is a fair question: exactly one ball is in the target zone when the time is up."""

import math
import random
from dataclasses import dataclass
from typing import Any

from .config import TaskConfig
from .physics import Ball, Balls, Event, simulate

Zone = tuple[float, float, float, float]

NEAREST_WALL = 0.13
LEAST_GAP = 0.12
CLEARANCE = 0.025
ARROW_SECONDS = 0.25


@dataclass(frozen=True)
class Launch:
    """One coloured ball; the angle is in degrees, counted from right towards up."""

    colour: str
    ball: Ball
    speed: float
    angle: int

    @property
    def arrow(self) -> float:
        """How far from the ball's centre its arrow ends: longer is faster."""
        return 0.1 + self.speed * ARROW_SECONDS

    def arrow_fits(self) -> bool:
        tip = self.ball.after(self.arrow / self.speed)
        return min(tip.x, tip.y) > CLEARANCE and max(tip.x, tip.y) < 1 - CLEARANCE


@dataclass(frozen=True)
class Task:
    """Launches, what becomes of them, and the zone (left, bottom, right, top) in which `answer` ends."""

    launches: tuple[Launch, ...]
    radius: float
    duration: float
    final: Balls
    events: tuple[Event, ...]
    zone: Zone
    answer: str

    @property
    def balls(self) -> Balls:
        return tuple(launch.ball for launch in self.launches)

    def parameters(self) -> dict[str, Any]:
        return {
            "duration_seconds": self.duration,
            "radius": self.radius,
            "balls": [_describe(launch, end) for launch, end in zip(self.launches, self.final, strict=True)],
            "target_zone": list(self.zone),
            "wall_bounces": sum(bool(event.axis) for event in self.events),
            "collisions": sum(not event.axis for event in self.events),
            "answer": self.answer,
        }


def _describe(launch: Launch, end: Ball) -> dict[str, Any]:
    return {
        "colour": launch.colour,
        "speed": launch.speed,
        "angle_degrees": launch.angle,
        "position": [launch.ball.x, launch.ball.y],
        "velocity": [launch.ball.vx, launch.ball.vy],
        "final_position": [round(end.x, 6), round(end.y, 6)],
        "final_velocity": [round(end.vx, 6), round(end.vy, 6)],
    }


def _draw_launch(rng: random.Random, config: TaskConfig, colour: str) -> Launch:
    """Draw a launch that is never nearly parallel to a wall, rounded to what prompt and metadata can say."""
    x, y = (round(rng.uniform(NEAREST_WALL, 1 - NEAREST_WALL), 3) for _ in "xy")
    angle = rng.choice((0, 90, 180, 270)) + rng.randrange(15, 80, 5)
    speed = round(rng.uniform(config.slowest, config.fastest), 2)
    # C libraries differ in the last bits of sin and cos; six digits are the same everywhere.
    vx, vy = (round(speed * f(math.radians(angle)), 6) for f in (math.cos, math.sin))
    return Launch(colour, Ball(x, y, vx, vy), speed, angle)


def _gap(a: Ball, b: Ball, radius: float) -> float:
    return math.sqrt((a.x - b.x) ** 2 + (a.y - b.y) ** 2) - 2 * radius


def distance_to_zone(ball: Ball, zone: Zone) -> float:
    """Return how far a ball's centre is from the zone: 0 inside."""
    dx = max(zone[0] - ball.x, 0, ball.x - zone[2])
    dy = max(zone[1] - ball.y, 0, ball.y - zone[3])
    return math.sqrt(dx * dx + dy * dy)


def _zone_around(rng: random.Random, ball: Ball, radius: float) -> Zone:
    """Return a square that holds the whole ball, but seldom in its middle, and stays in the box."""
    slack = rng.uniform(CLEARANCE, 2 * CLEARANCE)
    half = round(radius + slack, 3)
    off = 0.6 * slack
    x, y = (max(half, min(1 - half, v + rng.uniform(-off, off))) for v in (ball.x, ball.y))
    left, bottom, side = round(x - half, 3), round(y - half, 3), round(2 * half, 3)
    return left, bottom, round(left + side, 3), round(bottom + side, 3)


def _draw_balls(
    rng: random.Random, config: TaskConfig, colours: list[str], radius: float
) -> tuple[Launch, ...]:
    """Draw ball after ball, each with room for itself and for its arrow."""
    launches: list[Launch] = []
    for colour in colours:
        while True:
            launch = _draw_launch(rng, config, colour)
            if launch.arrow_fits() and all(_gap(launch.ball, o.ball, radius) >= LEAST_GAP for o in launches):
                launches.append(launch)
                break
    return tuple(launches)


def make_task(rng: random.Random, config: TaskConfig, colours: list[str]) -> Task:
    """Draw launches until one has few collisions and a zone that one ball alone ends in, after a bounce."""
    chosen = rng.sample(colours, rng.choice(config.balls))
    duration = rng.choice(config.durations)
    radius = round(rng.uniform(0.055, 0.08), 3)
    while True:
        launches = _draw_balls(rng, config, chosen, radius)
        balls = tuple(launch.ball for launch in launches)
        ((final, events),) = simulate(balls, radius, [duration])
        if sum(not event.axis for event in events) > config.most_collisions:
            continue
        for answer in rng.sample(range(len(balls)), len(balls)):
            zone = _zone_around(rng, final[answer], radius)
            others = (*balls, *final[:answer], *final[answer + 1 :])
            clear = all(distance_to_zone(ball, zone) > radius + CLEARANCE for ball in others)
            if clear and any(answer in (event.first, event.second) for event in events):
                return Task(launches, radius, duration, final, tuple(events), zone, launches[answer].colour)
