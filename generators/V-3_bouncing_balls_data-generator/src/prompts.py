"""What the bouncing balls say: what is seen, the launches, the rule, and what the video must show."""

import random

from .task import Launch, Task

NUMBERS = {2: "Two", 3: "Three", 4: "Four"}
SCENES = (
    (
        "{number} equal balls ({colours}) lie in a square box seen from above. A light square outline inside the box is "
        "the target zone, and an arrow at each ball shows its launch; a longer arrow is a faster ball."
    ),
    (
        "The picture shows a square box with {count} balls of the same size, {colours}, and a square target zone with a "
        "light outline. Arrows show where each ball is about to go, longer for faster."
    ),
    (
        "We look down on a square box. In it are {count} balls of one size, {colours}, and an outlined square, the target "
        "zone. The arrows give direction and speed of the launch."
    ),
)
LAUNCH = "The {colour} ball goes {side} at {degrees} degrees {height} the horizontal, at {speed:.2f} box widths a second."
RULES = (
    (
        "There is no friction and no gravity: balls run straight, bounce off the walls like light off a mirror, and "
        "collide with each other elastically with equal masses."
    ),
    (
        "Nothing slows the balls down. Walls reflect them perfectly, and two balls that touch bounce off each other "
        "elastically, having the same mass."
    ),
    "The balls roll without friction; every bounce, off a wall or off another ball of the same mass, is perfectly elastic.",
)
VIDEOS = (
    (
        "Predict the motion for {duration:g} seconds. After a short pause the arrows fade and all balls start together; after "
        "{duration:g} seconds they stop, and the zone turns the colour of the one ball inside it."
    ),
    (
        "The video first fades the arrows, then shows {duration:g} seconds of motion in real time and freezes; the target zone "
        "then takes the colour of the only ball that is in it."
    ),
    (
        "Show where the balls go: the arrows fade, all balls move for exactly {duration:g} seconds and stop where they are. At "
        "the end the zone is filled with the colour of the single ball inside."
    ),
)


def describe_launch(launch: Launch) -> str:
    vx, vy = launch.ball.vx, launch.ball.vy
    from_right = launch.angle % 180
    degrees = from_right if from_right <= 90 else 180 - from_right
    side, height = "right" if vx > 0 else "left", "above" if vy > 0 else "below"
    return LAUNCH.format(colour=launch.colour, side=side, degrees=degrees, height=height, speed=launch.speed)


def _list(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def write_prompt(rng: random.Random, task: Task) -> str:
    scene, rule, video = (rng.choice(choices) for choices in (SCENES, RULES, VIDEOS))
    number = NUMBERS[len(task.launches)]
    colours = _list([launch.colour for launch in task.launches])
    launches = " ".join(describe_launch(launch) for launch in task.launches)
    seen = scene.format(number=number, count=number.lower(), colours=colours)
    return f"{seen} {launches} {rule} {video.format(duration=task.duration)}"
