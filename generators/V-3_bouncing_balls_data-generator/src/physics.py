"""Equal balls in a frictionless unit box, from event to event: exact, with no time step.

Only + - * / and sqrt are used, which IEEE 754 rounds the same way on every machine.
"""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple


class Ball(NamedTuple):
    """A ball of unit mass; the box is 1 x 1, x runs right and y runs up."""

    x: float
    y: float
    vx: float
    vy: float

    def after(self, time: float) -> "Ball":
        return Ball(self.x + self.vx * time, self.y + self.vy * time, self.vx, self.vy)


Balls = tuple[Ball, ...]


class Event(NamedTuple):
    """At `time`, ball `first` meets a wall (`axis` is "x" or "y") or another ball (`axis` is "")."""

    time: float
    first: int
    second: int = -1
    axis: str = ""


def _wall_time(position: float, velocity: float, radius: float) -> float:
    if velocity > 0:
        return (1 - radius - position) / velocity
    return (radius - position) / velocity if velocity < 0 else math.inf


def _meeting_time(a: Ball, b: Ball, radius: float) -> float:
    dx, dy, dvx, dvy = b.x - a.x, b.y - a.y, b.vx - a.vx, b.vy - a.vy
    approach = dx * dvx + dy * dvy
    if approach >= 0:
        return math.inf
    speed2 = dvx * dvx + dvy * dvy
    root2 = approach * approach - speed2 * (dx * dx + dy * dy - 4 * radius * radius)
    return max(0.0, (-approach - math.sqrt(root2)) / speed2) if root2 >= 0 else math.inf


def next_event(balls: Balls, radius: float) -> Event:
    walls = [
        Event(_wall_time(p, v, radius), i, axis=axis)
        for i, ball in enumerate(balls)
        for axis, p, v in (("x", ball.x, ball.vx), ("y", ball.y, ball.vy))
    ]
    meetings = [
        Event(_meeting_time(balls[i], balls[j], radius), i, j) for i, j in combinations(range(len(balls)), 2)
    ]
    return min(walls + meetings, key=lambda event: event.time)


def _off_wall(ball: Ball, axis: str, radius: float) -> Ball:
    if axis == "x":
        return ball._replace(x=1 - radius if ball.vx > 0 else radius, vx=-ball.vx)
    return ball._replace(y=1 - radius if ball.vy > 0 else radius, vy=-ball.vy)


def _off_each_other(a: Ball, b: Ball) -> tuple[Ball, Ball]:
    """Equal masses swap the parts of their velocities that lie along the line between them."""
    dx, dy = b.x - a.x, b.y - a.y
    swap = ((b.vx - a.vx) * dx + (b.vy - a.vy) * dy) / (dx * dx + dy * dy)
    return (
        a._replace(vx=a.vx + swap * dx, vy=a.vy + swap * dy),
        b._replace(vx=b.vx - swap * dx, vy=b.vy - swap * dy),
    )


def apply(event: Event, balls: Balls, radius: float) -> Balls:
    """Return the balls just after an event that happens to them now."""
    after = list(balls)
    if event.axis:
        after[event.first] = _off_wall(balls[event.first], event.axis, radius)
    else:
        pair = _off_each_other(balls[event.first], balls[event.second])
        after[event.first], after[event.second] = pair
    return tuple(after)


def simulate(balls: Balls, radius: float, times: list[float]) -> Iterator[tuple[Balls, list[Event]]]:
    """Yield the balls at each of the rising times, with the events since the time before."""
    now, events = 0.0, []
    event = next_event(balls, radius)
    for time in times:
        while now + event.time <= time:
            now += event.time
            balls = apply(event, tuple(ball.after(event.time) for ball in balls), radius)
            events.append(event._replace(time=now))
            event = next_event(balls, radius)
        yield tuple(ball.after(time - now) for ball in balls), events
        events = []
