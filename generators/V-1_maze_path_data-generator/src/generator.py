"""One maze task for each name."""

import random

from core import BaseGenerator, TaskPair, Video, build_metadata
from PIL import Image

from .config import TaskConfig
from .maze import Maze, make_maze
from .prompts import write_prompt
from .scene import COLOURS, Scene


class TaskGenerator(BaseGenerator):
    config: TaskConfig

    def make_puzzle(self, rng: random.Random) -> Maze:
        """Draw a puzzle without drawing any picture."""
        size = rng.choice(self.config.sizes)
        loops = rng.randint(0, self.config.max_loops)
        return make_maze(
            rng, size, loops, size * self.config.longest_path_per_side, rng.choice(list(COLOURS))
        )

    def generate_task_pair(self, task_id: str) -> TaskPair:
        rng = self.rng(task_id)
        maze = self.make_puzzle(rng)
        scene = Scene(maze, self.config.image_size)
        video = Video(scene.frames, self.config.image_size, self.config.video_fps)
        return TaskPair(
            task_id=task_id,
            domain=self.config.domain,
            prompt=write_prompt(rng, maze),
            first_image=Image.fromarray(scene.first()),
            final_image=Image.fromarray(scene.final()),
            metadata=build_metadata(task_id, self.config.random_seed, maze.parameters()),
            ground_truth_video=video if self.config.generate_videos else None,
        )
