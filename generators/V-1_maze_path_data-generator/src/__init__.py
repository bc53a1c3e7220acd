"""The maze task: find the shortest way to the star."""

from .config import TaskConfig
from .generator import TaskGenerator

__all__ = ["TaskConfig", "TaskGenerator"]
