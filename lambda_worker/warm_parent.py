"""Has imported what nearly all generators import, and forks a process for each batch that is asked of it.

Started as a script by `launch`, with the number of a socket; it uses the standard library and its neighbour, the
launcher. It never runs a generator's code, so every batch begins in the same untouched interpreter, only sooner.
What it forks is not its child: the process between them ends at once, and the worker inherits the new one.
"""

import ctypes
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_MODULES = (
    *(
        "argparse",
        "dataclasses",
        "datetime",
        "logging",
        "random",
        "shutil",
        "subprocess",
        "tempfile",
        "typing",
    ),
    *("numpy", "PIL.Image", "PIL.ImageDraw", "PIL.ImageFont", "cv2", "av", "pydantic"),
)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_MOST_BYTES = 1 << 18
_ADOPTION_SECONDS = 5.0


def main() -> None:
    """Import, say that it is done, and fork until the socket closes."""
    line, worker = socket.socket(fileno=int(sys.argv[1])), os.getppid()
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # No generator is to change what later ones begin with.
    library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    # The folder of this script must not lend its modules to a generator.
    sys.path.pop(0)
    for name in _MODULES:
        # What is missing or broken is for the generator to tell.
        with suppress(Exception):
            importlib.import_module(name)
    launch = runpy.run_path(str(Path(__file__).with_name("launcher.py")))["launch"]
    line.send(b"ready" if len(os.listdir("/proc/self/task")) == 1 else b"has threads")  # noqa: PTH208
    while True:
        request, descriptors, _, _ = socket.recv_fds(line, _MOST_BYTES, 2)
        if not request:
            return
        between = os.fork()
        if not between:
            if os.fork():
                os._exit(0)
            job = json.loads(request)
            _become(job, descriptors, line, worker)
            launch(job["orders"])
            return
        os.waitpid(between, 0)
        for descriptor in descriptors:
            os.close(descriptor)


def _become(request: dict[str, Any], descriptors: list[int], line: socket.socket, worker: int) -> None:
    """Take the place of a new interpreter that was started for this batch."""
    end = time.monotonic() + _ADOPTION_SECONDS
    while os.getppid() != worker:
        if time.monotonic() > end:
            os._exit(1)
        time.sleep(0)
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    for target, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, target)
        os.close(descriptor)
    # Kept open by all it will start: a list of open files shows whose run they are, as an environment would.
    os.set_inheritable(os.open(request["orders"]["root"], os.O_RDONLY), True)  # noqa: FBT003
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:0] = ["", *filter(None, request["environment"].get("PYTHONPATH", "").split(os.pathsep))]
    if numpy := sys.modules.get("numpy"):
        # Python seeds its own generator anew in a forked process, NumPy does not.
        numpy.random.seed()
    line.send(str(os.getpid()).encode())
    line.close()


if __name__ == "__main__":
    main()
