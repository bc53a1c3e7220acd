"""Starts a generator's process: forked from a warm parent where there is one, else in a new interpreter.

A new interpreter that imports NumPy, OpenCV and Pillow takes a quarter of a second and more, which is billed for
every batch. The warm parent has imported them once for all batches of this worker and runs nothing else.
"""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from lambda_worker import processes

log = logging.getLogger(__name__)

_LAUNCHER = Path(__file__).with_name("launcher.py")
_WARM_PARENT = Path(__file__).with_name("warm_parent.py")
_READY_SECONDS = 30.0
_ANSWER_SECONDS = 10.0
_WORD = 64


class Started(Protocol):
    """A process that was started, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    @property
    def stderr(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None: ...
    def wait(self) -> int: ...


def start(orders: Mapping[str, object], *, cwd: Path, environment: Mapping[str, str]) -> Started:
    """Start the launcher with `orders`, in a session of its own and with nothing inherited but two pipes."""
    forked = _warm.fork(orders, cwd, environment) if _warm else None
    return forked or run(
        [sys.executable, str(_LAUNCHER), json.dumps(orders)], cwd=cwd, environment=environment
    )


def run(command: list[str], *, cwd: Path, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start `command` in a session of its own and with nothing inherited but two pipes."""
    with processes.starting() as has_number:
        process = subprocess.Popen(  # noqa: S603 - a generator is a program we are here to run
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        has_number(process.pid)
    return process


class Forked:
    """A process that the warm parent forked and this one inherited."""

    def __init__(self, pid: int, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.pid, self.stdout, self.stderr = pid, stdout, stderr
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._take(os.WNOHANG)

    def wait(self) -> int:
        """The exit code, when it has ended."""
        code = self._take(0)
        assert code is not None
        return code

    def _take(self, options: int) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code


class _WarmParent:
    """The warm parent of this worker, and a thread that keeps it: it ends with the thread that started it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._line, self._its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = environment
        self._lock = threading.Lock()
        self._is_up = False
        started = threading.Event()
        threading.Thread(target=self._keep, args=(started,), name="warm-parent", daemon=True).start()
        started.wait()

    def _keep(self, started: threading.Event) -> None:
        with processes.starting() as has_number:
            process = subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, str(_WARM_PARENT), str(self._its.fileno())],
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[self._its.fileno()],
                start_new_session=True,
            )
            has_number(process.pid)
        self._its.close()
        self._line.settimeout(_READY_SECONDS)
        with suppress(OSError):
            self._is_up = self._line.recv(_WORD) == b"ready"
        self._line.settimeout(_ANSWER_SECONDS)
        started.set()
        if not self._is_up:
            self._line.close()
        code = process.wait()
        self._is_up = False
        log.warning("the warm parent ended with %d; generators start in new interpreters", code)

    def fork(self, orders: Mapping[str, object], cwd: Path, environment: Mapping[str, str]) -> Forked | None:
        """A process with these orders; None where the warm parent has ended."""
        if not self._is_up:
            return None
        asked = json.dumps({"orders": orders, "cwd": str(cwd), "environment": dict(environment)})
        reading, writing = zip(os.pipe(), os.pipe(), strict=True)
        try:
            pid = self._ask(asked.encode(), writing)
        finally:
            for end in writing:
                os.close(end)
        out, err = (os.fdopen(end, "rb", 0) for end in reading)
        if pid:
            return Forked(pid, out, err)
        out.close()
        err.close()
        return None

    def _ask(self, asked: bytes, descriptors: tuple[int, ...]) -> int | None:
        """The number of the process that was forked."""
        with self._lock, processes.starting() as has_number:
            try:
                socket.send_fds(self._line, [asked], descriptors)
                pid = int(self._line.recv(_WORD))
            except (OSError, ValueError) as error:
                log.warning("the warm parent does not answer: %r", error)
                self._is_up = False
                return None
            has_number(pid)
            return pid


_warm: _WarmParent | None = None


def warm_up(environment: Mapping[str, str]) -> None:
    """Start the warm parent of this worker, once; on Linux only, where a worker can inherit its processes.

    Args:
        environment: what is the same for all generators.
    """
    global _warm  # noqa: PLW0603 - one for each process, as `processes` knows its own
    if _warm is None and sys.platform == "linux":
        _warm = _WarmParent(environment)
