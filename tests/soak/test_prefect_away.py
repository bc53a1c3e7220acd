"""A Prefect server that is killed in the middle of a run, and comes back."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from infra.local import EmbeddedAws
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.s3.listing import take_inventory

pytestmark = [pytest.mark.soak, pytest.mark.aws, pytest.mark.prefect]

AWAY_SECONDS = 45
SAMPLES, BATCH = 160, 2
TINY = Path(__file__).parents[1] / "data" / "tiny_generator"


class Server:
    """A Prefect server on one port, with one database."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/api"
        self._command = [
            *(Path(sys.executable).with_name("prefect"), "server", "start"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ]
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self._answers)

    def kill(self) -> None:
        """SIGKILL for it and all it started."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _answers(self) -> bool:
        with suppress(OSError):
            return bool(urllib.request.urlopen(f"{self.url}/health", timeout=1))
        return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "prefect")
    made.start()
    yield made
    made.kill()


def test_a_server_that_is_away_in_a_wait_ends_no_run(server: Server, tmp_path: Path) -> None:
    """Killed for three quarters of a minute and started again on its port, the run completes, each batch sent once."""
    shutil.copytree(TINY, tmp_path / "generators" / "T-slow")
    (tmp_path / "generators" / "T-slow" / "behaviour.json").write_text(json.dumps({"slow": 2.0}))
    with EmbeddedAws(tmp_path / "state", tmp_path / "generators").running() as info:
        store = aws.bucket(Config(env_file=info.env_file))
        run = subprocess.Popen(
            [
                *(sys.executable, "-m", "flows", "--dataset", "away", "-g", "T-slow"),
                *("-n", str(SAMPLES), "-b", str(BATCH)),
            ],
            env={**server.environment, "DATAFACTORY_ENV_FILE": str(info.env_file)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        until(lambda: take_inventory(store)["T-slow"].whole(IndexRange(0, SAMPLES)) >= 3 * BATCH)
        server.kill()
        time.sleep(AWAY_SECONDS)
        assert run.poll() is None, "it should have been in the middle of its wait"
        server.start()
        output, _ = run.communicate(timeout=300)
    sent = SAMPLES // BATCH
    expected = f"RESULT expected={SAMPLES} whole={SAMPLES} torn=0 missing=0 messages={sent} other_seed=0 right={SAMPLES}"
    assert output.splitlines()[-1] == expected
    assert run.returncode == 0


def until(true, seconds: float = 120) -> None:
    """Wait until `true()` holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.2)
