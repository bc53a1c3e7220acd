"""What may be asked of the maze generator."""

from dataclasses import dataclass

from core import GenerationConfig


@dataclass(frozen=True, kw_only=True)
class TaskConfig(GenerationConfig):
    """Mazes are square; a path is at least as many steps as the maze has cells along a side."""

    domain: str = "maze_path"
    sizes: tuple[int, ...] = (5, 6, 7, 8, 9)
    max_loops: int = 3
    longest_path_per_side: int = 3
