"""ministack as a managed process: bound to loopback, without the user's credentials, never anonymous."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, build_opener

from infra import processes
from infra.paths import STATE
from infra.state import ServerRecord
from vbvrdatafactory.cli.steps import step
from vbvrdatafactory.core.config import DEFAULT_REGION
from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from pathlib import Path

    from infra.state import StateFolder

HOST = "127.0.0.1"
# It reads the metadata of every object in the bucket first.
START_SECONDS = 300.0
# A deep queue makes it slow; longer than this is hung.
HUNG_SECONDS = 30.0
# The services the stack and its users need; the others would only take time to restore.
SERVICES = "cloudformation,cloudwatch,iam,lambda,logs,s3,sqs,sts"
# All that ministack, and so every worker and generator, sees of the user's environment.
INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")

_log = logging.getLogger(__name__)

# A proxy of the environment has no business between two processes of this machine.
_opener = build_opener(ProxyHandler({}))


def endpoint(port: int) -> str:
    return f"http://{HOST}:{port}"


def environment(state: StateFolder, port: int, token: str) -> dict[str, str]:
    """The whole environment of ministack, and of the functions it runs."""
    return {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        "HOME": str(state.scratch),
        "TMPDIR": str(state.scratch),
        # Not even a file may lend a real credential.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # It would listen on all addresses, and it runs code.
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "SERVICES": SERVICES,
        "MINISTACK_REGION": DEFAULT_REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state.services),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state.objects),
        # The one value of ours that its health page shows: who answers on this port.
        "MINISTACK_EDITION": token,
    }


def running(state: StateFolder) -> ServerRecord | None:
    """The server of this folder, if its process is alive; never that of the folder this is a copy of."""
    record = state.read_record()
    if record is None or state.came_from(record):
        return None
    return record if processes.is_alive(record.pid, record.token) else None


def answers(record: ServerRecord, seconds: float = 2) -> bool:
    """Whether that very server answers on its port within some seconds."""
    try:
        with _opener.open(f"{endpoint(record.port)}/_ministack/health", timeout=seconds) as response:
            return bool(json.load(response)["edition"] == record.token)
    except (OSError, ValueError, KeyError):
        return False


def start(state: StateFolder, *, temporary: bool) -> ServerRecord:
    """Start ministack and wait until it answers; the port is the last one if that is free."""
    if find_spec("ministack") is None:
        raise DataFactoryError(
            "the embedded AWS needs the package ministack: pip install 'vbvrdatafactory[local]'"
        )
    _clear(state)  # of what a killed server left
    state.create()
    last = state.read_record()
    port = _free_port(last.port if last else 0)
    if last and last.port != port:
        _rewrite(state, f"{endpoint(last.port)}/", f"{endpoint(port)}/")
    if last and (before := state.came_from(last)):
        _relocate(state, before)
    record = None
    try:
        with step("Starting the embedded AWS"):
            record = replace(_spawn(state, port), temporary=temporary)
            state.write_record(record)
            _wait_until_it_answers(state, record)
    except BaseException:
        if record:
            stop(state, record)
        _clear(state)
        raise
    return record


def _relocate(state: StateFolder, before: Path) -> None:
    """Have a checkout that was copied or moved use its own generators, not those of the one it came from."""
    if before.name == state.root.name == STATE.name:
        # As the saved state, which is JSON, spells the beginning of a path.
        old, new = (f"{json.dumps(str(folder.parent))[:-1]}/" for folder in (before, state.root))
        _rewrite(state, old, new)


def _rewrite(state: StateFolder, old: str, new: str) -> None:
    """Tell the saved state where it is now: ministack keeps queues under whole URLs and would not find them."""
    for file in state.services.glob("*.json"):
        file.write_text(file.read_text().replace(old, new))


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        # As the server will: a port whose connections are only just closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            return _free_port(0)
        port: int = probe.getsockname()[1]
        return port


def _spawn(state: StateFolder, port: int) -> ServerRecord:
    with suppress(FileNotFoundError):
        state.log.replace(state.previous_log)
    spawned = processes.spawn(
        ["infra.embedded"],
        lambda token: environment(state, port, token),
        cwd=state.scratch,
        log=state.log,
    )
    return ServerRecord(spawned.pid, port, spawned.token, folder=str(state.root))


def _wait_until_it_answers(state: StateFolder, record: ServerRecord) -> None:
    processes.wait_until_ready(
        f"the embedded AWS on port {record.port}",
        lambda: answers(record),
        lambda: processes.is_alive(record.pid, record.token),
        seconds=START_SECONDS,
        log=state.log,
    )


def stop(state: StateFolder, record: ServerRecord) -> None:
    """End the server, which saves its state, and everything it started; a warning says if it could not save."""
    asked = time.time()
    # Its process group goes too: it leaves its workers behind.
    if processes.stop(record.pid, record.token) and not _saved(state, asked):
        _log.warning(
            "the embedded AWS could not save its queues and its stack in %r (is the disk full?): its objects "
            "are kept, messages sent since the last start are lost; run the same again and it fills the gaps",
            str(state.services),
        )
    _clear(state)
    state.env_file.unlink(missing_ok=True)


def _saved(state: StateFolder, since: float) -> bool:
    """Whether the queues were written after that time; its log may have had no room either."""
    try:
        # A file's time may lie a tick before the clock's.
        return (state.services / "sqs.json").stat().st_mtime > since - 1
    except FileNotFoundError:
        return False


def _clear(state: StateFolder) -> None:
    processes.kill_users_of(state.scratch)
    state.clear_scratch()
