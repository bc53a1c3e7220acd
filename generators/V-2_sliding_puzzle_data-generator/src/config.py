"""What may be asked of the sliding puzzle generator."""

from dataclasses import dataclass

from core import GenerationConfig


@dataclass(frozen=True, kw_only=True)
class TaskConfig(GenerationConfig):
    """The board is always 3 x 3; the shortest solution has between `fewest_moves` and `most_moves` moves."""

    domain: str = "sliding_puzzle"
    fewest_moves: int = 10
    most_moves: int = 18
