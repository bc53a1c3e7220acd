"""Runs in the generator's process, before the generator: binds it to its limits and lets its samples out early.

Started as a script with one JSON argument, it uses the standard library and its neighbours only. Nearly
all public generators share a template (`core`, `src`) that collects every sample in memory and writes at the
end. Where it is recognised, each sample is written as soon as it is made, with the template's own writer: the
bytes are the same, memory stays flat, and a generator that dies keeps what it finished. Any other generator
runs as it is.
"""

import ctypes
import json
import os
import resource
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36


def launch(job: dict[str, Any]) -> None:
    """Bind this process as `job` says, then become the generator."""
    _die_with(job["parent"])
    _limit(job)
    if job["namespaces"]:
        _load(job["namespaces"])["enter"](job["shared_bytes"])
    if job["landlock"]:
        _load(job["landlock"])["confine_writes"](job["writable"])
    script = job["script"]
    _name(Path(script).parents[1].name)
    sys.argv = [script, *job["arguments"]]
    sys.path[0] = str(Path(script).parent)
    if job["stream"]:
        _load(job["stream"])["stream"](Path(job["output"]), Path(job["root"]))
    runpy.run_path(script, run_name="__main__")


def _load(path: str) -> dict[str, Any]:
    """The names a neighbour of this script defines, without making it importable."""
    return runpy.run_path(path)


def _die_with(parent: int) -> None:
    """End when the worker does; and be the parent of whatever loses its own."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _name(name: str) -> None:
    """Call this process `name`, as far as the kernel keeps it, for whoever looks at a list of processes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def _limit(job: dict[str, int]) -> None:
    for kind, wanted in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, job["file_bytes"]),
        (resource.RLIMIT_NOFILE, job["open_files"]),
    ):
        _, hard = resource.getrlimit(kind)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    # The folder of this script must not lend its modules to the generator.
    sys.path[0] = ""
    launch(json.loads(sys.argv[1]))
