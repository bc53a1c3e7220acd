"""What a generator is: a pure function from (seed, index) to a task pair."""

import random
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .schemas import TaskPair


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """What a run is asked for. Without a seed one is chosen, and it is recorded with every sample."""

    num_samples: int
    domain: str
    random_seed: int = field(default_factory=lambda: secrets.randbits(32))
    output_dir: Path = Path("data/questions")
    image_size: int = 256
    generate_videos: bool = True
    video_fps: int = 16


class BaseGenerator(ABC):
    """Base of a task generator: implement `generate_task_pair`, drawing all chance from `self.rng`."""

    def __init__(self, config: GenerationConfig) -> None:
        self.config = config

    @abstractmethod
    def generate_task_pair(self, task_id: str) -> TaskPair:
        """Make the sample of this name; nothing made before may change it."""

    def rng(self, task_id: str) -> random.Random:
        """Return the only source of chance for one sample."""
        return random.Random(f"{self.config.random_seed}:{task_id}")

    def stream(self) -> Iterator[TaskPair]:
        """Make the samples one by one, keeping none."""
        for index in range(self.config.num_samples):
            yield self.generate_task_pair(f"{self.config.domain}_{index:08d}")

    def generate_dataset(self) -> list[TaskPair]:
        """Make all samples and keep them: for a notebook, not for ten thousand."""
        return list(self.stream())
