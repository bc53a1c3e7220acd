"""Tests that bite: of the rules' code some is changed, and the nearest tests must notice."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

# All 1,879 together: 89 %. What is left is mostly words of messages, and changes that change nothing. The sample is
# another one whenever the rules change, and one of 300 strays by two percent and more.
FLOOR_PERCENT = 83.0
SAMPLE, SEED = 300, 42
COPIED = ("deployments", "flows", "generators", "infra", "lambda_worker", "tasks", "tests", "vbvrdatafactory")
NOTICED = {"killed", "timeout", "segfault", "suspicious"}


class Mutmut:
    """mutmut in a copy of the checkout: it writes beside what it mutates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("pyproject.toml", "README.md"):
            shutil.copy(file, folder)

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("mutmut")), *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            timeout=1800,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def verdicts(self) -> dict[str, str]:
        """What became of every mutant there is, by its name."""
        lines = (line.strip().rpartition(": ") for line in self("results", "--all", "true").splitlines())
        return {name: verdict for name, _, verdict in lines if name}


@pytest.mark.soak
def test_most_mutations_of_the_rules_are_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a sample, the same on every run while the code is, so many fail a test; those that do not are named."""
    mutmut = Mutmut(tmp_path / "checkout")
    mutmut("run", "vbvrdatafactory.core.seeds.*")  # makes all mutants, runs a few
    chosen = Random(SEED).sample(sorted(mutmut.verdicts()), SAMPLE)
    mutmut("run", *chosen)
    verdicts = mutmut.verdicts()
    survived = sorted(name for name in chosen if verdicts[name] not in NOTICED)
    score = 100 * (SAMPLE - len(survived)) / SAMPLE
    with capsys.disabled():
        print(f"\nmutations: {score:.1f} % of {SAMPLE} noticed; {len(survived)} not:")
        print(*(f"  {name}: {verdicts[name]}" for name in survived), sep="\n")
    assert score >= FLOOR_PERCENT
