"""A generator of the public template's shape, which does what `behaviour.py` beside it says."""

import tempfile
from pathlib import Path

from core import BaseGenerator, TaskPair

from . import behaviour
from .kit import files


class TaskGenerator(BaseGenerator):
    def __init__(self, config):
        super().__init__(config)
        self.place = 0

    def generate_task_pair(self, task_id):
        place, self.place = self.place, self.place + 1
        behaviour.before(place, self.config.random_seed)
        content = files(self.config.random_seed, place)
        # The public ones stage their videos at a fixed name, and copy them when everything is made.
        video = Path(tempfile.gettempdir()) / f"{self.config.domain}_videos" / f"{task_id}_ground_truth.mp4"
        video.parent.mkdir(exist_ok=True)
        video.write_bytes(content["ground_truth.mp4"])
        return TaskPair(
            task_id=task_id,
            domain=self.config.domain,
            prompt=content["prompt.txt"].decode(),
            first_image=content["first_frame.png"],
            final_image=content["final_frame.png"],
            ground_truth_video=str(video),
            metadata={"seed": self.config.random_seed, "timestamp": str(video.stat().st_mtime)},
        )
