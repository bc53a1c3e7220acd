"""Prefect on this machine, beside the embedded AWS: a server with its UI, a process worker, the deployments.

Nothing of Prefect is imported here: its commands are run, and its server is asked over HTTP.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra import paths
from infra.background import Background, Record
from infra.environment import with_own_prefect
from infra.local import EmbeddedAws
from infra.prefect_api import PrefectApi
from infra.server import HOST
from infra.state import StateFolder
from vbvrdatafactory.core.config import ENV_FILE_VARIABLE
from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.addresses import EmbeddedInfo

FIRST_PORT = 4200
# The pool that prefect.yaml names.
POOL = "datafactory"
START_SECONDS = 180.0
_PAUSE = 0.1


@dataclass(frozen=True)
class Up:
    """What runs: the page to open, the API's address, and whether all of it ran before."""

    page: str
    api: str
    aws: EmbeddedInfo
    ran_before: bool


class PrefectHere:
    """Starts and stops it all for one checkout, which holds `prefect.yaml` and keeps the state."""

    def __init__(self, checkout: Path = paths.CHECKOUT, port: int = FIRST_PORT) -> None:
        self._checkout = checkout
        self._state = checkout / ".datafactory"
        self._folder = StateFolder(self._state / "ui")
        self._port = port
        self._aws = EmbeddedAws(self._state, checkout / "generators")
        self._server = Background("prefect-server", self._folder.root)
        self._worker = Background("prefect-worker", self._folder.root)

    def up(self, say: Callable[[str], None]) -> Up:
        """Start what does not run, put the deployments in place, and wait until runs are taken.

        Raises:
            DataFactoryError: a part did not start; what was started for it is stopped again.
        """
        with self._folder.locked():
            before = [part.name for part in (self._server, self._worker) if part.running()]
            try:
                return self._up(say, before)
            except BaseException:
                for part in (self._worker, self._server):
                    if part.name not in before:
                        part.stop()
                raise

    def down(self) -> bool:
        """Stop all of it; state and history are kept. Whether there was anything to stop."""
        with self._folder.locked():
            record = self._server.running()
            stopped = [self._worker.stop()]
            if record:
                PrefectApi(_api(record.port)).end_lost_runs(POOL)
            return any([*stopped, self._server.stop(), self._aws.down()])

    def _up(self, say: Callable[[str], None], before: list[str]) -> Up:
        server = self._server.running() or self._start_server()
        api = PrefectApi(_api(server.port))
        info = self._aws.up()
        say(f"embedded AWS on {info.endpoint}")
        self._wait(self._server, api.answers)
        say(f"Prefect server on port {server.port}")
        if self._server.name not in before:
            api.end_lost_runs(POOL)
        deploying = self._deploy(server.port, info)
        try:
            if not self._worker.running():
                self._wait(self._server, lambda: api.has_pool(POOL) or deploying.poll() is not None)
                self._start_worker(server.port)
        finally:
            said, _ = deploying.communicate()
        if deploying.returncode:
            raise DataFactoryError(f"the deployments could not be made: {said.strip()}")
        say(said.strip())
        self._wait(self._worker, lambda: api.has_worker(POOL))
        return Up(f"http://{HOST}:{server.port}", api.url, info, ran_before=len(before) == 2)

    def _start_server(self) -> Record:
        port = free_port(self._port)
        arguments = ["prefect", "server", "start", "--host", HOST, "--port", str(port)]
        return self._server.start(arguments, self._environment(port), self._checkout, port)

    def _start_worker(self, port: int) -> Record:
        arguments = ["prefect", "worker", "start", "--pool", POOL, "--type", "process"]
        return self._worker.start(arguments, self._environment(port), self._checkout)

    def _deploy(self, port: int, info: EmbeddedInfo) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.deploy"],
            cwd=self._checkout,
            # The form offers the generators that the embedded AWS has.
            env={**self._environment(port), ENV_FILE_VARIABLE: str(info.env_file)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _environment(self, port: int) -> dict[str, str]:
        """A Prefect of this checkout's own: the user's settings and database stay as they are."""
        return {
            **with_own_prefect(os.environ, self._state / "prefect"),
            "PREFECT_API_URL": _api(port),
            # prefect.yaml takes the folder of the deployments from it.
            "PWD": str(self._checkout),
        }

    def _wait(self, needed: Background, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not is_ready():
            needed.check()
            if time.monotonic() > deadline:
                raise DataFactoryError(
                    f"the {needed.name} is not ready after {START_SECONDS:.0f} s; see {str(needed.log)!r}"
                )
            time.sleep(_PAUSE)


def free_port(first: int) -> int:
    """The first port from `first` on that nobody on this machine listens on.

    Raises:
        DataFactoryError: a hundred ports are taken.
    """
    for port in range(first, first + 100):
        with socket.socket() as probe:
            # As the server will: a port whose connections are only just closed is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise DataFactoryError(f"no port is free from {first} to {first + 99}; give another with --port")


def _api(port: int) -> str:
    return f"http://{HOST}:{port}/api"
