"""Prefect as people use it: deploy, a process worker, run from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vbvrdatafactory.core.ranges import IndexRange

pytestmark = [pytest.mark.aws, pytest.mark.prefect, pytest.mark.slow]

PREFECT = Path(sys.executable).with_name("prefect")


def test_a_deployment_runs_to_completion(factory, command_environment) -> None:
    """A deployment made by prefect deploy --all, a process worker and prefect deployment run --watch end with a complete dataset."""
    name = factory.add_generator("T-deployed")
    environment = {**command_environment(), "PREFECT_CLI_PROMPT": "false"}

    def prefect(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PREFECT, *arguments], env=environment, capture_output=True, text=True, timeout=240, check=False
        )

    prefect("work-pool", "create", "datafactory", "--type", "process")
    for _ in range(2):
        deployed = prefect("--no-prompt", "deploy", "--all")
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    worker = subprocess.Popen(
        [PREFECT, "worker", "start", "--pool", "datafactory"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        parameters = {"dataset": "deployed", "generators": [name], "samples": 4, "poll_seconds": 0.3}
        ran = prefect(
            *("deployment", "run", "generate-dataset/local", "--watch", "--params", json.dumps(parameters)),
            *("--job-variable", f'env={{"DATAFACTORY_ENV_FILE": "{factory.env_file}"}}'),
        )
    finally:
        worker.terminate()
        worker.wait()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert factory.inventory()[name].whole(IndexRange(0, 4)) == 4
