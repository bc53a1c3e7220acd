"""What of the user's shell reaches the checkout's own Prefect: its server, its Prefect worker, its runs, its tests.

``python -m infra.environment COMMAND...`` runs a command in that environment.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra import paths
from vbvrdatafactory.core.proxies import no_proxy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Settings of Prefect, of the tracing it loads, of the server program it runs and of Python are for other work.
_OTHERS = ("PREFECT_", "OTEL_", "UVICORN_", "PYTHON", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS")
_HARMLESS = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# On a new home the server makes its database first: 20 s, Prefect's own limit, are too few on a busy machine.
START_SECONDS = 180


def with_own_prefect(outer: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment `outer` with a Prefect that keeps everything below `home`.

    The user's settings, servers and databases of Prefect are neither read nor written.
    """
    kept = {name: value for name, value in outer.items() if not _is_kept_out(name, value)}
    return {
        **kept,
        **no_proxy(outer),
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(START_SECONDS),
        "PREFECT_CLI_PROMPT": "false",
        "DO_NOT_TRACK": "1",
        # Names, tables and what generators say are UTF-8, whatever the locale is.
        "PYTHONUTF8": "1",
    }


def _is_kept_out(name: str, value: str) -> bool:
    # Prefect takes its variables in lower case too, and so do those who read proxies.
    upper = name.upper()
    if upper in _PROXIES:
        return not _is_usable(value)
    return upper.startswith(_OTHERS) and name not in _HARMLESS


def _is_usable(proxy: str) -> bool:
    """Prefect's client ends with an error about any other proxy, even if no request would go through it."""
    try:
        return urlsplit(proxy if "://" in proxy else f"http://{proxy}").scheme in {"http", "https"}
    except ValueError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m infra.environment", description="Run a command with the checkout's own Prefect."
    )
    parser.add_argument("command", help="the program to run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what it is given")
    asked = parser.parse_args()
    environment = with_own_prefect(os.environ, paths.STATE / "prefect")
    os.execvpe(asked.command, [asked.command, *asked.arguments], environment)  # noqa: S606


if __name__ == "__main__":
    main()
