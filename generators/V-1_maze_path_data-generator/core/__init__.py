"""What every generator shares. The same text in each generator folder: change one, copy it to all."""

from .arguments import even_side, non_negative_int, output_folder, positive_int
from .base_generator import BaseGenerator, GenerationConfig
from .metadata import build_metadata, param_hash
from .output_writer import OutputWriter
from .schemas import TaskPair
from .video_utils import Frame, Video

__all__ = ["BaseGenerator", "Frame", "GenerationConfig", "OutputWriter", "TaskPair", "Video"]
__all__ += ["build_metadata", "even_side", "non_negative_int", "output_folder", "param_hash", "positive_int"]
