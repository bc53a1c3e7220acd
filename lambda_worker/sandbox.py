"""Runs one generator by itself: own folders, own process group, a deadline, and nothing of ours in its reach.

Generators stage videos at fixed names in the temp directory, leave hundreds of kilobytes a sample there,
write caches to HOME, and some seed from ``hash(str)``. Two of them in one temp directory silently swap their
videos. So each run gets folders of its own, and an environment made from an allow-list: no credential, no
endpoint and no Lambda variable is in it.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from lambda_worker.failure import BatchFailed
from lambda_worker.output_option import output_option
from vbvrdatafactory.core.catalogue import ENTRY_POINT
from vbvrdatafactory.core.models import Cause

# What a program needs to start at all; everything else is made here.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "FONTCONFIG_PATH", "FONTCONFIG_FILE")
_FIXED = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
    "MPLBACKEND": "Agg",
    "QT_QPA_PLATFORM": "offscreen",
    "SDL_VIDEODRIVER": "dummy",
}
_TAIL_BYTES = 8000
_TAIL_LINES = 40
_GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Sandbox:
    """The folders of one run; all of them below `root`, which goes away with the run."""

    root: Path

    @property
    def output(self) -> Path:
        return self.root / "output"

    def environment(self, generator: Path) -> dict[str, str]:
        """Everything the generator's process will find in its environment."""
        home, temp = self.root / "home", self.root / "tmp"
        return {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            **_FIXED,
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "MPLCONFIGDIR": str(home / ".matplotlib"),
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temp)),
            "PYTHONPATH": str(generator),
        }


@dataclass(frozen=True)
class Run:
    """How a generator's process ended. A negative exit code is the signal that ended it."""

    exit_code: int
    stderr_tail: str
    seconds: float
    timed_out: bool


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Fresh folders for one run, removed afterwards whatever happened."""
    root = Path(tempfile.mkdtemp(prefix="datafactory-"))
    try:
        for name in ("output", "home", "tmp"):
            (root / name).mkdir()
        yield Sandbox(root)
    finally:
        rmtree(root, onerror=_make_writable)


def run_generator(box: Sandbox, generator: Path, *, num_samples: int, seed: int, seconds: float) -> Run:
    """Run the generator's script for at most `seconds`; its samples land in ``box.output``.

    Raises:
        BatchFailed: there is no such generator, no time, or no option for the output folder.
    """
    script = (generator / ENTRY_POINT).resolve()
    if not script.is_file():
        raise BatchFailed(
            Cause.UNKNOWN_GENERATOR, f"{generator.name!r} has no {ENTRY_POINT} under {generator.parent}"
        )
    if seconds <= 0:
        raise BatchFailed(Cause.DEADLINE, "no time was left to run the generator")
    environment = box.environment(generator.resolve())
    numbers = ["--num-samples", str(num_samples), "--seed", str(seed)]
    command = [sys.executable, str(script), *numbers, output_option(script, environment), str(box.output)]
    return _run(command, generator, environment, box.root, seconds)


def _run(command: list[str], cwd: Path, environment: dict[str, str], root: Path, seconds: float) -> Run:
    started = time.monotonic()
    # Inherited descriptors are never handed on: on some hosts descriptor 1 is the worker's own protocol.
    with (root / "stdout").open("wb") as out, (root / "stderr").open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 - a generator is a program we are here to run
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            exit_code, timed_out = _wait(process, seconds)
        finally:
            _kill_group(process)
    return Run(exit_code, tail(root / "stderr"), time.monotonic() - started, timed_out)


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> tuple[int, bool]:
    try:
        return process.wait(seconds), False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
    try:
        return process.wait(_GRACE_SECONDS), True
    except subprocess.TimeoutExpired:
        _kill_group(process)
        return process.wait(), True


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """End whatever is left of the process and its children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def tail(path: Path) -> str:
    """The last lines of a file, however large it is."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])


def _make_writable(function: object, path: str, error: object) -> None:
    """Give back the permissions that a generator took away, and try once more."""
    del error
    for place in (Path(path).parent, Path(path)):
        place.chmod(0o700)
    function(path)  # type: ignore[operator]
