from .base_generator import BaseGenerator, GenerationConfig
from .output_writer import OutputWriter
from .schemas import TaskPair

__all__ = ["BaseGenerator", "GenerationConfig", "OutputWriter", "TaskPair"]
