"""The public template's writer: one folder for each pair."""

import json
import shutil
from pathlib import Path


class OutputWriter:
    def __init__(self, output_dir):
        self.output_dir = Path(output_dir)
        self.output_dir.mkdir(parents=True, exist_ok=True)

    def write_task_pair(self, task_pair):
        folder = self.output_dir / f"{task_pair.domain}_task" / task_pair.task_id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "first_frame.png").write_bytes(task_pair.first_image)
        if task_pair.final_image:
            (folder / "final_frame.png").write_bytes(task_pair.final_image)
        (folder / "prompt.txt").write_text(task_pair.prompt)
        if task_pair.ground_truth_video and Path(task_pair.ground_truth_video).exists():
            video = Path(task_pair.ground_truth_video)
            shutil.copy(video, folder / f"ground_truth{video.suffix}")
        if task_pair.metadata is not None:
            (folder / "metadata.json").write_text(json.dumps(task_pair.metadata, indent=2))
        return folder

    def write_dataset(self, task_pairs):
        for pair in task_pairs:
            self.write_task_pair(pair)
        return self.output_dir
