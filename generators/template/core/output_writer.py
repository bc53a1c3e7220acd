"""Writes samples as DIR/{domain}_task/{task_id}/, one folder each."""

import json
from collections.abc import Iterable
from pathlib import Path

from .schemas import TaskPair


class OutputWriter:
    def __init__(self, output_dir: Path) -> None:
        self.output_dir = output_dir

    def write_task_pair(self, pair: TaskPair) -> Path:
        """Write one sample. Its required files come last: if they are there, the sample is whole."""
        folder = self.output_dir / f"{pair.domain}_task" / pair.task_id
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("prompt.txt", "first_frame.png", "ground_truth.mp4"):
            (folder / name).unlink(missing_ok=True)
        if pair.ground_truth_video:
            pair.ground_truth_video.write(folder / "ground_truth.mp4")
        (folder / "metadata.json").write_text(json.dumps(pair.metadata, indent=2) + "\n", encoding="utf-8")
        pair.final_image.save(folder / "final_frame.png")
        pair.first_image.save(folder / "first_frame.png")
        (folder / "prompt.txt").write_text(pair.prompt + "\n", encoding="utf-8")
        return folder

    def write_dataset(self, pairs: Iterable[TaskPair]) -> Path:
        """Write each sample as it comes; given a stream, only one is in memory at a time."""
        for pair in pairs:
            self.write_task_pair(pair)
            print(f"  Generated: {pair.task_id}", flush=True)
        return self.output_dir
