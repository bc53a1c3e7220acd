"""The real flow on a simulated AWS: what `bench.simulate` says of a large run, said of a small one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.soak, pytest.mark.prefect]


def test_a_simulated_run_makes_what_can_be_made(tmp_path: Path) -> None:
    """One generator of four always fails: the run ends incomplete, says how much is missing, and has made the rest."""
    figures = tmp_path / "figures.json"
    command = [
        sys.executable, "-m", "bench.simulate", "--generators", "4", "--samples", "200", "--slots", "20",
        "--json", str(figures),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert found["state"] == "Incomplete"
    assert "200 of 800 samples" in found["message"]
    assert found["samples"] == found["expected"] == 600
    assert found["messages"] < 2 * 4 * 200 / 25


def test_half_of_its_price_ends_a_simulated_run_within_two_percent(tmp_path: Path) -> None:
    """Twelve generators, the slowest twenty times as slow as the quickest: priced by their probes, the run spends its budget and no more.

    SOAK_BUDGET_GENERATORS and SOAK_BUDGET_SAMPLES make it larger: 300 and 10000 are three million.
    """
    figures = tmp_path / "figures.json"
    generators = os.environ.get("SOAK_BUDGET_GENERATORS", "12")
    samples = os.environ.get("SOAK_BUDGET_SAMPLES", "500")
    command = [
        sys.executable, "-m", "bench.simulate", "--generators", generators, "--samples", samples, "--batch", "auto",
        "--variety", "20", "--budget-share", "0.5", "--json", str(figures),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=5000)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())
    assert found["state"] == "Incomplete"
    assert "It ended early (spent)" in found["message"]
    assert 0.98 <= found["spent"] / found["budget"] <= 1.0
    assert 0.3 <= found["samples"] / found["expected"] <= 0.7
