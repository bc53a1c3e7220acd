"""Which Prefect and which Python the checkout's own processes get, whatever the shell says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.child import child_environment
from infra.environment import with_own_prefect

HOME = Path("/checkout/.datafactory/prefect")
OTHERS = {
    "PREFECT_API_URL": "http://127.0.0.1:9/api",
    "PREFECT_API_KEY": "theirs",
    "PREFECT_API_AUTH_STRING": "theirs",
    "PREFECT_SERVER_API_AUTH_STRING": "theirs",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:////theirs.db",
    "PREFECT_PROFILE": "theirs",
    "PREFECT_PROFILES_PATH": "/theirs",
    "PREFECT_HOME": "/theirs",
    "PREFECT_LOGGING_LEVEL": "theirs",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "theirs",
    "PREFECT_DEFAULT_WORK_POOL_NAME": "theirs",
    "prefect_api_url": "http://theirs",
    "OTEL_PROPAGATORS": "theirs",
    "UVICORN_WORKERS": "theirs",
    "WEB_CONCURRENCY": "theirs",
    "PYTHONWARNINGS": "theirs",
    "PYTHONPATH": "/theirs",
    "PYTHONHOME": "/theirs",
    "PYTHONINSPECT": "theirs",
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_setting_for_other_work_stays_out(name: str) -> None:
    """Nothing of another Prefect, of the server program or of Python reaches the checkout's own processes."""
    inner = with_own_prefect({name: OTHERS[name], "PATH": "/bin"}, HOME)
    assert OTHERS[name] not in inner.values()
    assert inner["PATH"] == "/bin"


def test_what_its_server_needs_is_set() -> None:
    """It keeps its settings and its database below its own home, and has the time to make it."""
    inner = with_own_prefect(OTHERS, HOME)
    assert inner["PREFECT_HOME"] == str(HOME)
    assert inner["PREFECT_PROFILES_PATH"] == str(HOME / "profiles.toml")
    assert int(inner["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"]) >= 120
    assert "PREFECT_API_URL" not in inner


@pytest.mark.parametrize(
    ("value", "is_kept"),
    [
        ("http://127.0.0.1:9", True),
        ("proxy:3128", True),
        ("socks5://127.0.0.1:9", False),
        ("://nonsense", False),
        ("http://[nonsense", False),
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "all_proxy"])
def test_a_proxy_is_kept_where_prefect_can_use_it(name: str, value: str, *, is_kept: bool) -> None:
    """Runs on an account need the proxy; Prefect's client cannot even be made with some."""
    assert (name in with_own_prefect({name: value}, HOME)) is is_kept


def test_no_proxy_stands_between_two_processes_of_this_machine() -> None:
    """The exceptions that were there stay."""
    inner = with_own_prefect({"NO_PROXY": "example.com"}, HOME)
    assert inner["no_proxy"] == inner["NO_PROXY"] == "example.com,127.0.0.1,localhost,::1"


def test_prefect_itself_reads_it_so(tmp_path: Path) -> None:
    """Prefect, started in that environment, has our settings and none of theirs."""
    code = (
        "from prefect.settings import get_current_settings as s\n"
        "print(s().home, s().api.url, s().server.api.auth_string)\n"
        "print(s().server.database.connection_url.get_secret_value())"
    )
    environment = with_own_prefect({**os.environ, **OTHERS}, tmp_path)
    shown = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd="/"
    )
    database = f"sqlite+aiosqlite:///{tmp_path}/prefect.db"
    assert shown.stdout.split() == [str(tmp_path), "None", "None", database], shown.stderr


def test_a_command_of_the_users_keeps_its_prefect(somewhere) -> None:
    """`datafactory local exec` alone changes what is said of AWS, not which Prefect is meant."""
    inner = child_environment({"PREFECT_API_URL": "http://127.0.0.1:9/api"}, somewhere)
    assert inner["PREFECT_API_URL"] == "http://127.0.0.1:9/api"


def test_a_command_is_run_in_it() -> None:
    """`python -m infra.environment COMMAND` is how make starts the tests."""
    code = (
        "import os; print(sorted(name for name in os.environ if name in ('PREFECT_API_URL', 'PREFECT_HOME')))"
    )
    command = [sys.executable, "-m", "infra.environment", sys.executable, "-c", code]
    done = subprocess.run(
        command,
        env={**os.environ, **OTHERS, "PYTHONHOME": "", "PYTHONWARNINGS": "", "PYTHONINSPECT": ""},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "['PREFECT_HOME']", done.stderr
