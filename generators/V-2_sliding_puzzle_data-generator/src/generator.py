"""One sliding puzzle for each name."""

import random

from core import BaseGenerator, TaskPair, Video, build_metadata
from PIL import Image

from .config import TaskConfig
from .prompts import write_prompt
from .puzzle import Puzzle, make_puzzle
from .scene import PALETTES, Scene


class TaskGenerator(BaseGenerator):
    config: TaskConfig

    def make_puzzle(self, rng: random.Random) -> Puzzle:
        """Draw a puzzle without drawing any picture."""
        moves = rng.randint(self.config.fewest_moves, self.config.most_moves)
        return make_puzzle(rng, moves, rng.choice(list(PALETTES)))

    def generate_task_pair(self, task_id: str) -> TaskPair:
        rng = self.rng(task_id)
        puzzle = self.make_puzzle(rng)
        scene = Scene(puzzle, self.config.image_size)
        video = Video(scene.frames, self.config.image_size, self.config.video_fps)
        return TaskPair(
            task_id=task_id,
            domain=self.config.domain,
            prompt=write_prompt(rng, puzzle),
            first_image=Image.fromarray(scene.first()),
            final_image=Image.fromarray(scene.final()),
            metadata=build_metadata(task_id, self.config.random_seed, puzzle.parameters()),
            ground_truth_video=video if self.config.generate_videos else None,
        )
