"""Which processes belong to a run, where there are no namespaces: as on AWS Lambda."""

import subprocess
import sys
from pathlib import Path

import pytest

from lambda_worker.generator import launch, namespaces, processes

HOLD = "import sys, time; file = open(sys.argv[1]); print('open', flush=True); time.sleep(60)"


def test_what_reads_a_runs_samples_is_none_of_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the worker started for something else stays when the run ends; one that it did not start is the run's."""
    monkeypatch.setattr(namespaces, "are_allowed", lambda: False)
    (tmp_path / "sample").touch()
    hold = [sys.executable, "-c", HOLD, str(tmp_path / "sample")]
    mine = launch.run(hold, cwd=Path("/"), environment={})
    other = subprocess.Popen(hold, stdout=subprocess.PIPE, cwd="/")
    try:
        for one in (mine, other):
            assert one.stdout
            assert one.stdout.readline() == b"open\n"
        assert processes.members(tmp_path) == {other.pid}
        processes.end_all(tmp_path, processes.children())
        assert (other.wait(10), mine.poll()) == (-9, None)
    finally:
        for one in (mine, other):
            one.kill()
            one.wait()
        processes.ended(mine.pid)
