"""A plain script: it does what `behaviour.py` beside it says."""

import argparse
from pathlib import Path

import behaviour

parser = argparse.ArgumentParser()
parser.add_argument("--num-samples", type=int, required=True)
parser.add_argument("--seed", type=int)
parser.add_argument("--output", required=True)
arguments = parser.parse_args()
behaviour.run(Path(arguments.output), arguments.seed, arguments.num_samples)
