"""Generate samples: python examples/generate.py --num-samples 10 --seed 42 --output data/questions."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import OutputWriter, even_side, non_negative_int, output_folder, positive_int
from src import TaskConfig, TaskGenerator


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make mazes and the video of their shortest path.")
    parser.add_argument("--num-samples", type=positive_int, required=True, help="how many samples to make")
    parser.add_argument(
        "--seed", type=non_negative_int, help="same seed, same samples (default: chosen and printed)"
    )
    parser.add_argument(
        "--output", type=output_folder, default=Path("data/questions"), help="default: %(default)s"
    )
    parser.add_argument(
        "--image-size", type=even_side, default=256, help="side in pixels (default: %(default)s)"
    )
    parser.add_argument("--no-videos", action="store_true", help="leave out ground_truth.mp4")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    seed = {} if arguments.seed is None else {"random_seed": arguments.seed}
    config = TaskConfig(
        num_samples=arguments.num_samples,
        output_dir=arguments.output,
        image_size=arguments.image_size,
        generate_videos=not arguments.no_videos,
        **seed,
    )
    print(
        f"Generating {config.num_samples} {config.domain} samples with seed {config.random_seed}", flush=True
    )
    folder = OutputWriter(config.output_dir).write_dataset(TaskGenerator(config).stream())
    print(f"Done: {config.num_samples} samples in {folder / config.domain}_task")


if __name__ == "__main__":
    main()
