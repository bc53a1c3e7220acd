"""Runs in the sandbox, in a generator's environment: imports modules, each in a process of its own, and tells how it went.

Usage: ``import_probe.py RESULT MODULE…``. Only the standard library is used.
"""

import importlib
import json
import os
import sys
from pathlib import Path

# What Python itself loads of the system when it is asked to; a generator needs no package for these.
_OF_PYTHON = ("bz2", "ctypes", "decimal", "lzma", "sqlite3", "ssl", "zlib")


def main(result: str, modules: list[str]) -> None:
    for module in _OF_PYTHON:
        _import(module)
    before = _mapped()
    Path(result).write_text(json.dumps({module: _in_child(module, before) for module in modules}))


def _in_child(module: str, before: set[str]) -> dict[str, object]:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        # What it prints, and what it does at its end, is of no interest.
        error = _import(module)
        said = json.dumps({**error, "libraries": sorted(_mapped() - before)})
        with os.fdopen(writing, "w") as pipe:
            pipe.write(said)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status or not text:
        return {
            "error": "Crash",
            "name": "",
            "text": f"importing it ended the process with {status}",
            "libraries": [],
        }
    answer: dict[str, object] = json.loads(text)
    return answer


def _import(module: str) -> dict[str, object]:
    try:
        importlib.import_module(module)
    except BaseException as error:  # noqa: BLE001 - whatever a package raises is the answer
        name = getattr(error, "name", None)
        return {"error": type(error).__name__, "name": name or "", "text": str(error)[:1000]}
    return {"error": "", "name": "", "text": ""}


def _mapped() -> set[str]:
    """Shared libraries of the system in this process: neither Python's nor a package's."""
    try:
        lines = Path("/proc/self/maps").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    paths = {line.split(None, 5)[5] for line in lines if ".so" in line and len(line.split(None, 5)) == 6}
    own = (sys.prefix, sys.base_prefix)
    return {path.rpartition("/")[2] for path in paths if not path.startswith(own)}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
