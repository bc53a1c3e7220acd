"""What may be asked of the bouncing balls generator."""

from dataclasses import dataclass

from core import GenerationConfig


@dataclass(frozen=True, kw_only=True)
class TaskConfig(GenerationConfig):
    """Durations are whole numbers of frames at the default rate; speeds are in box sides per second."""

    domain: str = "bouncing_balls"
    balls: tuple[int, ...] = (2, 3, 4)
    durations: tuple[float, ...] = (2.0, 2.5, 3.0)
    slowest: float = 0.35
    fastest: float = 0.85
    most_collisions: int = 2
