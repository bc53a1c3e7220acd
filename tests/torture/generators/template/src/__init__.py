from .config import TaskConfig
from .generator import TaskGenerator

__all__ = ["TaskConfig", "TaskGenerator"]
