"""The public template's script."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from core import OutputWriter
from src import TaskConfig, TaskGenerator, behaviour


def main():
    parser = argparse.ArgumentParser(description="Generate task dataset")
    parser.add_argument("--num-samples", type=int, required=True)
    parser.add_argument("--output", type=str, default="data/questions")
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    print(f"Generating {args.num_samples} tasks...")
    config = TaskConfig(num_samples=args.num_samples, random_seed=args.seed, output_dir=Path(args.output))
    tasks = TaskGenerator(config).generate_dataset()
    tasks = behaviour.between(tasks)
    OutputWriter(Path(args.output)).write_dataset(tasks)
    behaviour.after(Path(args.output), tasks)
    print(f"Done! Generated {len(tasks)} tasks in {args.output}/{config.domain}_task/")


if __name__ == "__main__":
    main()
