import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.addresses import EmbeddedInfo
from infra.child import child_environment, run
from infra.local import EmbeddedAws
from vbvrdatafactory.core.errors import DataFactoryError

SCRIPT = """
import sys
from pathlib import Path
from infra.child import run
from infra.local import EmbeddedAws
state, generators, stub, *command = sys.argv[1:]
sys.exit(run(EmbeddedAws(Path(state), Path(generators), worker_packages=[Path(stub)]), command))
"""


def test_no_real_account_is_left_in_the_environment(somewhere: EmbeddedInfo) -> None:
    """Keys, profiles, endpoints and addresses of a real account are gone; the rest stays."""
    outer = {
        "PATH": "/bin",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SESSION_TOKEN": "real",
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL_S3": "https://s3.us-east-2.amazonaws.com",
        "SQS_QUEUE_URL": "https://sqs.us-east-2.amazonaws.com/1/real",
        "OUTPUT_BUCKET": "real",
    }
    inner = child_environment(outer, somewhere)
    assert "real" not in " ".join(inner.values()).lower()
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"} & set(inner)
    assert inner["PATH"] == "/bin"
    assert inner["DATAFACTORY_ENV_FILE"] == "/state/local.env"
    assert inner.items() >= somewhere.variables.items()


@pytest.mark.aws
class TestRun:
    @pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
    def test_exit_code(self, shared: EmbeddedAws, script: str, code: int) -> None:
        """The exit code is the command's, as a shell would give it."""
        assert run(shared, ["sh", "-c", script]) == code

    def test_what_was_up_stays_up(self, shared: EmbeddedAws) -> None:
        """A command run on what is up does not stop it."""
        run(shared, ["true"])
        assert shared.status().running

    def test_what_it_started_is_stopped(
        self, embedded: EmbeddedAws, tmp_path: Path, is_up: Callable[[], bool]
    ) -> None:
        """The command finds it up and with its environment file; afterwards nothing runs."""
        proof = tmp_path / "proof"
        assert run(embedded, ["sh", "-c", f'cat "$DATAFACTORY_ENV_FILE" > "{proof}"']) == 0
        assert "SQS_QUEUE_URL=http://127.0.0.1:" in proof.read_text()
        assert not is_up()

    def test_an_unknown_command_is_named(self, bare: EmbeddedAws, is_up: Callable[[], bool]) -> None:
        """A command that cannot be run is named, and nothing is left running."""
        with pytest.raises(DataFactoryError, match="'no-such-command'"):
            run(bare, ["no-such-command"])
        assert not is_up()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signals_reach_the_command(
        self,
        number: signal.Signals,
        state_dir: Path,
        tmp_path: Path,
        stub: Path,
        processes_below: Callable[[Path], list[int]],
    ) -> None:
        """A signal ends the command in its own way, and then everything that was started for it."""
        started = tmp_path / "started"
        command = f'trap "exit 5" INT TERM; touch "{started}"; while true; do sleep 0.05; done'
        parent = _start(state_dir, tmp_path, stub, ["sh", "-c", command])
        _wait_for(started)
        parent.send_signal(number)
        assert parent.wait(30) == 5
        assert processes_below(state_dir) == []

    def test_a_signal_while_starting(
        self, state_dir: Path, tmp_path: Path, stub: Path, processes_below: Callable[[Path], list[int]]
    ) -> None:
        """A signal that comes before the command runs leaves nothing behind either."""
        parent = _start(state_dir, tmp_path, stub, ["sleep", "60"])
        _wait_for(state_dir / "server.json")
        parent.send_signal(signal.SIGINT)
        assert parent.wait(30) == 128 + signal.SIGINT
        assert processes_below(state_dir) == []


def _start(state_dir: Path, generators: Path, stub: Path, command: list[str]) -> subprocess.Popen[bytes]:
    arguments = [str(state_dir), str(generators), str(stub), *command]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments], stdin=subprocess.DEVNULL, env=os.environ
    )


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
