from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra import local_commands
from infra.local import EmbeddedAws
from vbvrdatafactory.core.errors import DataFactoryError

pytestmark = pytest.mark.aws

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(embedded: EmbeddedAws, state_dir: Path, stub: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run `datafactory local ...` on the test's own state folder."""
    monkeypatch.setattr(local_commands, "EmbeddedAws", partial(EmbeddedAws, worker_packages=[stub]))

    def invoke(command: str, *arguments: str, **options: str) -> Result:
        full = [command, "--state-dir", str(state_dir), *arguments]
        return CliRunner().invoke(local_commands.local, full, **options)

    return invoke


def test_up_status_down(invoke: Invoke, tmp_path: Path) -> None:
    """Up shows where it is, status shows the same, and after down status says it does not run."""
    up = invoke("up", "--generators", str(tmp_path))
    assert up.exit_code == 0, up.output
    assert str(tmp_path) in up.output
    status = invoke("status")
    assert status.exit_code == 0
    assert status.output in up.output
    assert invoke("down").output == "stopped\n"
    assert invoke("down").output == "it was not running\n"
    status = invoke("status")
    assert (status.exit_code, "local up" in status.output) == (1, True)


def test_env_is_for_a_shell(shared: EmbeddedAws) -> None:
    """The lines of env set the file, the addresses and dummy keys, and unset a profile."""
    state_dir = shared.up().env_file.parent
    result = CliRunner().invoke(local_commands.local, ["env", "--state-dir", str(state_dir)])
    lines = result.output.splitlines()
    assert lines[0].startswith("unset AWS_PROFILE ")
    exported = dict(line.removeprefix("export ").split("=", 1) for line in lines[1:])
    assert exported["AWS_SECRET_ACCESS_KEY"] == "test"
    assert exported["SQS_QUEUE_URL"].startswith("http://127.0.0.1:")
    assert Path(exported["DATAFACTORY_ENV_FILE"]).is_file()


def test_env_needs_it_up(invoke: Invoke) -> None:
    """Without a server there is nothing to export, and the error says what to do."""
    result = invoke("env")
    assert isinstance(result.exception, DataFactoryError)
    assert "datafactory local up" in str(result.exception)


def test_reset_asks(invoke: Invoke, bare: EmbeddedAws, state_dir: Path, is_up: Callable[[], bool]) -> None:
    """Reset deletes only after a yes."""
    bare.up()
    refused = invoke("reset", input="n\n")
    assert refused.exit_code == 1
    assert (state_dir / "s3").exists()
    assert is_up()
    assert invoke("reset", "--yes").exit_code == 0
    assert not (state_dir / "s3").exists()


def test_exec_gives_the_exit_code(invoke: Invoke, bare: EmbeddedAws, is_up: Callable[[], bool]) -> None:
    """Exec takes a command with options of its own, and ends as it ends."""
    bare.up()
    assert invoke("exec", "--", "sh", "-c", "exit 3").exit_code == 3
    assert is_up()


def test_exec_needs_a_command(invoke: Invoke) -> None:
    """Exec of nothing is a wrong command line."""
    assert invoke("exec").exit_code == 2
