"""The bouncing balls task: which ball is in the zone when the time is up."""

from .config import TaskConfig
from .generator import TaskGenerator

__all__ = ["TaskConfig", "TaskGenerator"]
