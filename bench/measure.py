"""Starts the parts of a measurement, and reads what it cost: time, processor, memory, disk, requests."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPConnection
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import psutil

from vbvrdatafactory.core.seeds import python_hash_seed
from vbvrdatafactory.lockfile import read_lock

HERE = Path(__file__).resolve().parent
_BUCKET = "bench-bucket"
# Of every batch.
SEED = 42
_SAMPLE_SECONDS = 0.05
_QUIET_SECONDS = 1.0
# As `lambda_worker` sets them; the generator's own time is taken with and without.
TUNING = {
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "67108864",
    "PILLOW_BLOCKS_MAX": "256",
    "OPENCV_FOR_THREADS_NUM": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

# Where a file lies in the dataset: task, index, name. With it, the digest of its bytes.
Digests = dict[tuple[str, int, str], str]


class BenchError(Exception):
    """A measurement that would mean nothing."""


@dataclass
class Reading:
    """What one call cost. `others` is the share of the machine that others used meanwhile."""

    wall: float
    cpu: float
    peak: int
    left: int = 0
    puts: int = 0
    requests: int = 0
    server_cpu: float = 0.0
    others: float = 0.0
    tree_peak: int | None = None
    digests: Digests = field(default_factory=dict, repr=False)


class FakeAws:
    """The fake AWS in a process of its own, seen from here."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.port = int(process.stdout.readline()) if process.stdout else 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> bytes:
        """The body of an answer."""
        connection = HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status != 200:
                raise BenchError(f"the fake AWS answered {answer.status} to {path}")
            return answer.read()
        finally:
            connection.close()

    def reset(self, delay_ms: int) -> dict[str, Any]:
        """Empty the bucket and set the delay."""
        return self._steer(f"reset?ms={delay_ms}")

    def state(self) -> dict[str, Any]:
        """Counts, objects and the server's own processor time."""
        return self._steer("state")

    def _steer(self, command: str) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.get(f"/-bench/{command}"))
        return state

    def digests(self, objects: dict[str, Any], generator: str) -> Digests:
        """What is stored of a generator; archives are opened."""
        found: Digests = {}
        for key, (_, digest) in objects.items():
            if key.startswith(f"questions/{generator}/"):
                found |= _placed(key, digest)
            elif key.startswith(f"questions/{generator}_"):
                found |= _archived(self.get(f"/{_BUCKET}/{key}"))
        return found


@contextmanager
def fake_aws(folder: Path) -> Iterator[FakeAws]:
    """A fake AWS that keeps what it must in `folder`."""
    folder.mkdir()
    command = [sys.executable, str(HERE / "fake_aws.py"), str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield FakeAws(process)
        if process.stdin:
            process.stdin.close()


def _archived(archive: bytes) -> Digests:
    found: Digests = {}
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        for member in tar:
            if member.isfile() and (content := tar.extractfile(member)):
                found |= _placed(member.name, sha256(content.read()).hexdigest())
    return found


def _placed(path: str, digest: str) -> Digests:
    """One file under its place; `metadata.json` carries the time of day and is left out."""
    *_, folder, name = path.split("/")
    task, _, index = folder.rpartition("_")
    return {} if name == "metadata.json" else {(task, int(index), name): digest}


def on_disk(output: Path) -> Digests:
    """What a generator wrote by itself."""
    found: Digests = {}
    for path in output.rglob("*_task/*/*"):
        found |= _placed(path.relative_to(output).as_posix(), sha256(path.read_bytes()).hexdigest())
    return found


class HandlerProcess:
    """A handler in a warm process of its own."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", line: Connection, temp: Path) -> None:
        self.name, self.process, self.line, self.temp = name, process, line, temp
        self.ready: dict[str, Any] = self._receive()

    def send(self, event: object) -> None:
        """Let it begin."""
        self.line.send_bytes(json.dumps(event).encode())

    def receive(self) -> dict[str, Any]:
        """What it measured.

        Raises:
            BenchError: the handler failed, or some of its batches failed.
        """
        answer = self._receive()
        result = answer.get("result")
        if "error" in answer or (isinstance(result, dict) and result.get("batchItemFailures")):
            raise BenchError(f"{self.name} failed: {answer.get('error') or result}\n{self._log()}")
        return answer

    def call(self, event: object) -> dict[str, Any]:
        """Send and receive."""
        self.send(event)
        return self.receive()

    def _receive(self) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(self.line.recv_bytes())
        except EOFError:
            raise BenchError(f"{self.name} died:\n{self._log()}") from None
        return answer

    def _log(self) -> str:
        return (self.temp.parent / "log").read_text(errors="replace")[-4000:]


@dataclass(frozen=True)
class Handler:
    """A worker to measure: where its packages are and which module has the ``handler``."""

    name: str
    checkout: Path
    module: str
    python: str = sys.executable

    @contextmanager
    def start(self, scratch: Path, endpoint: str, generators: Path) -> Iterator[HandlerProcess]:
        """A warm process with this handler, with a temp folder of its own below `scratch`."""
        place = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=scratch))
        temp = place / "tmp"
        temp.mkdir()
        environment = self._environment(endpoint, generators, temp)
        here, there = socket.socketpair()
        with ExitStack() as stack:
            log = stack.enter_context((place / "log").open("wb"))
            command = [self.python, "-P", str(HERE / "handler_process.py"), str(there.fileno()), self.module]
            process = subprocess.Popen(
                command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=[there.fileno()],
            )  # fmt: skip
            stack.enter_context(process)
            there.close()
            line = stack.enter_context(Connection(here.detach()))
            handler = HandlerProcess(self.name, process, line, temp)
            if not Path(handler.ready["file"]).is_relative_to(self.checkout):
                raise BenchError(f"{self.name} came from {handler.ready['file']}, not from {self.checkout}")
            yield handler

    def _environment(self, endpoint: str, generators: Path, temp: Path) -> dict[str, str]:
        return {
            **plain_environment(temp),
            "PYTHONPATH": str(self.checkout),
            "GENERATORS_PATH": str(generators),
            "OUTPUT_BUCKET": _BUCKET,
            "SQS_QUEUE_URL": f"{endpoint}/000000000000/bench",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-2",
            "AWS_DEFAULT_REGION": "us-east-2",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "DATAFACTORY_ENV_FILE": "",
        }


def plain_environment(temp: Path) -> dict[str, str]:
    """What every process here starts with. The hash seed is the batches' own, or their bytes could not be compared."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    return {
        **kept,
        "HOME": str(temp.parent),
        "TMPDIR": str(temp),
        "PYTHONHASHSEED": str(python_hash_seed(SEED)),
        "NO_PROXY": "*",
    }


class Memory:
    """Samples how much all of a process tree holds at once; a page that two share counts twice."""

    def __init__(self, pids: Iterable[int]) -> None:
        self.roots = [psutil.Process(pid) for pid in pids]
        self.peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(_resident(root) for root in self.roots))


def _resident(root: psutil.Process) -> int:
    total = 0
    try:
        for process in (root, *root.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
    except psutil.NoSuchProcess:
        pass
    return total


class Disk:
    """What a call leaves in its temp folder, or, under the generator's name, in the machine's."""

    def __init__(self, temps: Iterable[Path], generator: str) -> None:
        self.temps, self.generator = list(temps), generator
        self.before = self._entries()

    def left(self) -> int:
        """Bytes that are there now and were not; whatever is new or larger is removed, for the next reading."""
        now = self._entries()
        for path in now:
            if now[path] > self.before.get(path, -1):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return sum(now.values()) - sum(self.before.values())

    def _entries(self) -> dict[Path, int]:
        named = Path("/tmp").glob(f"*{self.generator}*")  # noqa: S108 - the predecessor writes there
        return {path: _bytes(path) for path in (*named, *(p for temp in self.temps for p in temp.iterdir()))}


def _bytes(path: Path) -> int:
    return sum(entry.lstat().st_size for entry in (path, *path.rglob("*")) if entry.is_file())


class Machine:
    """Tells what share of the processors others used, from here to `used_by_others`."""

    def __init__(self) -> None:
        self.started, self.busy = time.perf_counter(), _busy()

    def used_by_others(self, ours: float) -> float:
        """The share of the processors' time that was used, but not by us."""
        seconds = (time.perf_counter() - self.started) * (os.cpu_count() or 1)
        return max(0.0, _busy() - self.busy - ours) / seconds


def wait_for_quiet(share: float, seconds: float) -> None:
    """Return when others use less than `share` of the machine, or after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        machine = Machine()
        time.sleep(_QUIET_SECONDS)
        if machine.used_by_others(0) < share:
            return


def _busy() -> float:
    times = psutil.cpu_times()
    return times.user + times.system + getattr(times, "nice", 0.0) + getattr(times, "steal", 0.0)


def _interpreter(generator: Path) -> str:
    """The Python that the generators' lock has for it; this one where there is no lock."""
    lock = read_lock(generator.parent)
    found = lock.interpreter_of(generator.name, generator.parent) if lock else None
    return str(found or sys.executable)


def run_alone(generator: Path, scratch: Path, count: int, seed: int, extra: dict[str, str]) -> Reading:
    """Run the generator's script by itself, as an author would."""
    place = Path(tempfile.mkdtemp(prefix="alone-", dir=scratch))
    temp, output = place / "tmp", place / "output"
    temp.mkdir()
    # argparse takes --output for --output-dir too.
    options = ["--num-samples", str(count), "--seed", str(seed), "--output", str(output)]
    environment = {**plain_environment(temp), **extra, "PYTHONPATH": str(generator)}
    machine, started = Machine(), time.perf_counter()
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [_interpreter(generator), "examples/generate.py", *options],
            cwd=generator, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
    wall, cpu = time.perf_counter() - started, used.ru_utime + used.ru_stime
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(f"{generator.name} failed by itself:\n{(place / 'log').read_text()[-4000:]}")
    reading = Reading(wall, cpu, used.ru_maxrss * 1024, others=machine.used_by_others(cpu))
    reading.left, reading.digests = _bytes(temp), on_disk(output)
    shutil.rmtree(place)
    return reading
