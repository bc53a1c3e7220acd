"""One bouncing balls task for each name."""

import random

from core import BaseGenerator, TaskPair, Video, build_metadata
from PIL import Image

from .config import TaskConfig
from .prompts import write_prompt
from .scene import COLOURS, Scene
from .task import Task, make_task


class TaskGenerator(BaseGenerator):
    config: TaskConfig

    def make_puzzle(self, rng: random.Random) -> Task:
        """Draw a task without drawing any picture."""
        return make_task(rng, self.config, list(COLOURS))

    def generate_task_pair(self, task_id: str) -> TaskPair:
        rng = self.rng(task_id)
        task = self.make_puzzle(rng)
        scene = Scene(task, self.config.image_size, self.config.video_fps)
        video = Video(scene.frames, self.config.image_size, self.config.video_fps)
        return TaskPair(
            task_id=task_id,
            domain=self.config.domain,
            prompt=write_prompt(rng, task),
            first_image=Image.fromarray(scene.launch),
            final_image=Image.fromarray(scene.answer),
            metadata=build_metadata(task_id, self.config.random_seed, task.parameters()),
            ground_truth_video=video if self.config.generate_videos else None,
        )
