"""Calls a Lambda handler in a process of its own, and measures each call.

    python -P handler_process.py DESCRIPTOR MODULE

It answers on the connection that DESCRIPTOR is; whatever the handler prints goes elsewhere. Each request is an
event for the handler, each answer a JSON object.
"""

import argparse
import importlib
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import psutil

_LAMBDA_SECONDS = 900


class Context:
    """What a handler may ask of Lambda."""

    aws_request_id = "bench"
    function_name = "bench"

    def __init__(self) -> None:
        self.ends = time.monotonic() + _LAMBDA_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        return int((self.ends - time.monotonic()) * 1000)


def cpu_seconds() -> float:
    """User and system time of this process, of its children that ended, and of those that still run."""
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    alive = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            alive += sum(child.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return alive + sum(used.ru_utime + used.ru_stime for used in own)


def peak_bytes() -> int:
    """The largest any one process here was: this one, or one of its children that ended."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def call(handler: Callable[[Any, Any], Any], event: object) -> dict[str, Any]:
    """Invoke the handler once."""
    before, started = cpu_seconds(), time.perf_counter()
    try:
        result = handler(event, Context())
    except Exception:  # noqa: BLE001 - the handler's failure is an answer
        return {"error": traceback.format_exc()}
    wall = time.perf_counter() - started
    return {"wall": wall, "cpu": cpu_seconds() - before, "peak": peak_bytes(), "result": result}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("descriptor", type=int)
    parser.add_argument("module")
    options = parser.parse_args()
    descriptor = options.descriptor
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no keyword
    started = time.perf_counter()
    module = importlib.import_module(options.module)
    with Connection(descriptor) as bench:
        ready = {"file": module.__file__, "seconds": time.perf_counter() - started}
        bench.send_bytes(json.dumps(ready).encode())
        while True:
            try:
                event = json.loads(bench.recv_bytes())
            except EOFError:
                return
            bench.send_bytes(json.dumps(call(module.handler, event), default=str).encode())


if __name__ == "__main__":
    main()
