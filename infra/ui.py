"""Prefect on this machine, beside the embedded AWS: a server with its UI, a process worker, the deployments.

Nothing of Prefect is imported here: its commands are run, and its server is asked over HTTP.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra import password, paths
from infra.background import Background, Record
from infra.deployed import Deployed
from infra.environment import with_own_prefect
from infra.local import EmbeddedAws
from infra.lost_runs import end_interrupted_runs, end_lost_runs, mend_history
from infra.prefect_api import PrefectApi, PrefectError
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
_PORT_TRIES = 5
_SERVER = "deployments.server"
# Of the tokens that Prefect's clients send with what they change; a browser can't count beyond 33 days.
_CSRF_LIFE = "P30D"


@dataclass(frozen=True)
class Up:
    """What runs: the page to open, the link that opens it once without a password, the API's address.

    `ran_before` says whether all of it ran.
    """

    page: str
    link: str
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
        self._home = self._state / "prefect"
        self._password = self._folder.root / "password"
        self._deployed = Deployed(self._home / "deployed.json", checkout)

    def up(self, say: Callable[[str], None]) -> Up:
        """Start what does not run, put the deployments in place, and wait until runs are taken.

        Raises:
            DataFactoryError: a part did not start; what was started for it is stopped again.
        """
        with self._folder.locked():
            password.ensure(self._password)
            self._stop_another_kind(say)
            before = [part.name for part in (self._server, self._worker) if part.running()]
            try:
                server = self._server.running() or self._start_server()
                with self._aws.starting() as info:
                    return self._up(say, before, server, info)
            except BaseException:
                for part in (self._worker, self._server):
                    if part.name not in before:
                        part.stop()
                raise

    def down(self, say: Callable[[str], None] = lambda _: None) -> bool:
        """Stop all of it; state and history are kept. Whether there was anything to stop."""
        with self._folder.locked():
            record = self._server.running()
            stopped = [self._worker.stop()]
            if record:
                self._look_after_runs(self._api(record.port), say)
            return any([*stopped, self._server.stop(), self._aws.down()])

    def variables(self) -> dict[str, str]:
        """What leads every Prefect command to the server that runs here, its password among it.

        Raises:
            DataFactoryError: none runs.
        """
        record = self._server.running()
        if not record:
            raise DataFactoryError("no Prefect server runs here; start it with 'make up'")
        return {
            "PREFECT_API_URL": _api(record.port),
            "PREFECT_API_AUTH_STRING": password.read(self._password),
        }

    def _stop_another_kind(self, say: Callable[[str], None]) -> None:
        """Stop a server that another version of this checkout started: it asks for no password."""
        record = self._server.running()
        if record and record.what[:1] != (_SERVER,):
            say("the Prefect server was started by another version; starting it anew")
            self._worker.stop()
            self._server.stop()

    def _look_after_runs(self, api: PrefectApi, say: Callable[[str], None], *, is_new: bool = False) -> None:
        """End those whose process is gone; what hinders that is said, and hinders nothing else."""
        try:
            lines = mend_history(api)
            lines += end_lost_runs(api, POOL, has_worker=self._worker.running() is not None)
            lines += end_interrupted_runs(api, self._checkout) if is_new else []
        except PrefectError as error:
            lines = [f"runs whose process is gone could not be ended: {error}"]
        for line in lines:
            say(line)

    def _up(self, say: Callable[[str], None], before: list[str], server: Record, info: EmbeddedInfo) -> Up:
        say(f"embedded AWS on {info.endpoint}")
        server = self._wait_for_server(server)
        api = self._api(server.port)
        say(f"Prefect server on port {server.port}")
        self._look_after_runs(api, say, is_new=self._server.name not in before)
        if self._deployed.is_current(api, POOL, info.generators_path):
            if not self._worker.running():
                self._start_worker(server.port)
            said = "deployments and automations are up to date"
        else:
            said = self._deploy_beside(server.port, api, info)
        say(said)
        self._worker.wait_until(lambda: api.has_worker(POOL), START_SECONDS)
        page = f"http://{HOST}:{server.port}"
        return Up(page, f"{page}/sign-in#{api.sign_in_code()}", api.url, info, ran_before=len(before) == 2)

    def _deploy_beside(self, port: int, api: PrefectApi, info: EmbeddedInfo) -> str:
        """Deploy, and start the worker as soon as its pool is there; returns what was said."""
        deploying = self._deploy(port, info)
        try:
            if not self._worker.running():
                self._server.wait_until(
                    lambda: api.has_pool(POOL) or deploying.poll() is not None, START_SECONDS
                )
                self._start_worker(port)
        finally:
            said, _ = deploying.communicate()
        if deploying.returncode:
            raise DataFactoryError(f"the deployments could not be made: {said.strip()}")
        self._deployed.note(api, POOL, info.generators_path)
        return said.strip()

    def _start_server(self) -> Record:
        port = free_port(self._port)
        environment = {**self._environment(port), **self._server_settings(port)}
        return self._server.start([_SERVER, str(port)], environment, self._checkout, port)

    def _wait_for_server(self, server: Record) -> Record:
        """Wait until it answers; where another program got the port while it started, start it on a free one.

        Raises:
            DataFactoryError: it does not answer, for another reason or again and again.
        """
        for _ in range(_PORT_TRIES):
            try:
                self._server.wait_until(self._api(server.port).answers, START_SECONDS)
            except DataFactoryError:
                if self._server.running() or free_port(server.port) == server.port:
                    raise
                server = self._start_server()
            else:
                return server
        raise DataFactoryError(
            f"another program took the port of the {self._server.name} {_PORT_TRIES} times"
        )

    def _start_worker(self, port: int) -> Record:
        arguments = ["prefect", "worker", "start", "--pool", POOL, "--type", "process"]
        return self._worker.start(arguments, self._environment(port), self._checkout)

    def _deploy(self, port: int, info: EmbeddedInfo) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "deployments", "--yes"],
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
            "PREFECT_API_AUTH_STRING": password.read(self._password),
            # prefect.yaml takes the folder of the deployments from it.
            "PWD": str(self._checkout),
        }

    def _server_settings(self, port: int) -> dict[str, str]:
        """The server's settings: closed to everybody but this checkout, as a web page could else run commands."""
        return {
            "PREFECT_SERVER_API_AUTH_STRING": password.read(self._password),
            "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
            "PREFECT_SERVER_CSRF_TOKEN_EXPIRATION": _CSRF_LIFE,
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port},http://localhost:{port}",
            # As the page was opened: by either name, or through a tunnel's port.
            "PREFECT_UI_API_URL": "/api",
            # Else `prefect deployment run --watch` says that a run failed, and not why.
            "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "true",
            "PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED": "true",
        }

    def _api(self, port: int) -> PrefectApi:
        return PrefectApi(_api(port), password.read(self._password))


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
