"""A generator as the factory sees it: a folder with a script, run in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GENERATORS = Path(__file__).resolve().parents[2] / "generators"
FILES = {"first_frame.png", "final_frame.png", "prompt.txt", "ground_truth.mp4", "metadata.json"}

# Dozens of processes import the same packages: compiled once for all of them, outside the folders under test.
_COMPILED = tempfile.TemporaryDirectory(prefix="generators-compiled-")
_ENVIRONMENT = {"PYTHONPYCACHEPREFIX": _COMPILED.name, "PYTHONDONTWRITEBYTECODE": ""}

_SETUP = """
import json
from src import TaskConfig, TaskGenerator
generator = TaskGenerator(TaskConfig(num_samples=3, random_seed=7, image_size=64))
def puzzle(index):
    return generator.make_puzzle(generator.rng(f"{generator.config.domain}_{index:08d}"))
"""

# The script run once for each command line: what it prints, and what it exits with.
_MANY = """
import contextlib, io, json, runpy, sys
runs = []
for sys.argv in json.loads(sys.argv[1]):
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            code = end.code
    runs.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(runs))
"""


@dataclass(frozen=True)
class Run:
    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Variant:
    samples: list[Path]
    stdout: str


@dataclass(frozen=True)
class Program:
    folder: Path
    task: str
    output_option: str = "--output"

    def start(self, arguments: list[str], **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**os.environ, **_ENVIRONMENT, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, output: Path, *options: str) -> list[str]:
        return ["examples/generate.py", self.output_option, str(output), *options]

    def run(self, output: Path, *options: str, **environment: str) -> Run:
        """Run the script in its folder; what it exits with is the caller's to judge."""
        return self._python(self.command(output, *options), **environment)

    def run_each(self, commands: list[list[str]]) -> list[Run]:
        """Run several command lines of the script in one process: starting one costs most of a short run."""
        return [Run(*run) for run in json.loads(self._checked("-c", _MANY, json.dumps(commands)))]

    def make(self, output: Path, samples: int, seed: int, *options: str, **environment: str) -> list[Path]:
        """Make samples, and return their folders."""
        done = self.run(output, "--num-samples", str(samples), "--seed", str(seed), *options, **environment)
        assert done.exit_code == 0, done.stderr
        return self.samples(output)

    def samples(self, output: Path) -> list[Path]:
        return sorted((output / f"{self.task}_task").iterdir())

    def evaluate(self, code: str) -> Any:
        """Run code in the generator's folder, with `generator` and `puzzle(index)` of seed 7; read what it prints."""
        return json.loads(self._checked("-c", _SETUP + code))

    def puzzles(self, number: int) -> list[dict[str, Any]]:
        """Return the parameters of many puzzles, none of them drawn."""
        made = self.evaluate(f"print(json.dumps([puzzle(index).parameters() for index in range({number})]))")
        return list(made)

    def _checked(self, *arguments: str) -> str:
        done = self._python(list(arguments))
        assert done.exit_code == 0, done.stderr
        return done.stdout

    def _python(self, arguments: list[str], **environment: str) -> Run:
        with self.start(arguments, **environment) as process:
            out, err = process.communicate(timeout=60)
        return Run(process.returncode, out, err)


MAZE = Program(GENERATORS / "V-1_maze_path_data-generator", "maze_path")
PUZZLE = Program(GENERATORS / "V-2_sliding_puzzle_data-generator", "sliding_puzzle", "--output-dir")
BALLS = Program(GENERATORS / "V-3_bouncing_balls_data-generator", "bouncing_balls")
TEMPLATE = Program(GENERATORS / "template", "dot_to_ring")

REFERENCES = (MAZE, PUZZLE, BALLS)
ALL = (*REFERENCES, TEMPLATE)


def metadata(sample: Path) -> dict[str, Any]:
    return dict(json.loads((sample / "metadata.json").read_text()))


def parameters(sample: Path) -> dict[str, Any]:
    return dict(metadata(sample)["parameters"])


def content(sample: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(sample.iterdir())}
