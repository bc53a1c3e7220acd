"""The example task: a dot goes to a ring."""

from .config import TaskConfig
from .generator import TaskGenerator

__all__ = ["TaskConfig", "TaskGenerator"]
