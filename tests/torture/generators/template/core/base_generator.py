"""The public template's loop: every sample is made, and kept, before one is written."""

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path


@dataclass
class GenerationConfig:
    num_samples: int
    domain: str = "torture"
    random_seed: int | None = None
    output_dir: Path = Path("data/questions")


class BaseGenerator(ABC):
    def __init__(self, config):
        self.config = config
        if config.random_seed is not None:
            random.seed(config.random_seed)

    @abstractmethod
    def generate_task_pair(self, task_id): ...

    def generate_dataset(self):
        pairs = []
        for i in range(self.config.num_samples):
            task_id = f"{self.config.domain}_{i:08d}"
            pairs.append(self.generate_task_pair(task_id))
            print(f"  Generated: {task_id}")
        return pairs
