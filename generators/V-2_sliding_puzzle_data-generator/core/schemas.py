"""The value a generator makes: one task with its answer."""

from dataclasses import dataclass
from typing import Any

from PIL import Image

from .video_utils import Video


@dataclass(frozen=True, kw_only=True)
class TaskPair:
    """One sample: the task (first image and prompt) and its answer (final image and video)."""

    task_id: str
    domain: str
    prompt: str
    first_image: Image.Image
    final_image: Image.Image
    metadata: dict[str, Any]
    ground_truth_video: Video | None = None
