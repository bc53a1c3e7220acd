"""The value a generator of the public template makes."""

from dataclasses import dataclass
from typing import Any


@dataclass
class TaskPair:
    task_id: str
    domain: str
    prompt: str
    first_image: Any
    final_image: Any = None
    ground_truth_video: str | None = None
    metadata: dict | None = None
