"""Starts a generator's process, in an interpreter of its own.

Not forked from one that has its imports done already: the hash seed of an interpreter is fixed when it starts,
and each batch has its own. Generators that seed from ``hash(str)`` would make the same samples in every batch.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lambda_worker.generator import processes

_LAUNCHER = Path(__file__).with_name("launcher.py")


def start(
    orders: Mapping[str, object], *, interpreter: Path, cwd: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the launcher with `orders`, in a session of its own and with nothing inherited but two pipes."""
    return run([str(interpreter), str(_LAUNCHER), json.dumps(orders)], cwd=cwd, environment=environment)


def run(command: list[str], *, cwd: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
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
