"""The sliding puzzle task: order the tiles in the fewest moves."""

from .config import TaskConfig
from .generator import TaskGenerator

__all__ = ["TaskConfig", "TaskGenerator"]
