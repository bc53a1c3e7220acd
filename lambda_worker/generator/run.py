"""Runs a generator in its sandbox and watches it: deadline, memory, disk, cancellation, finished samples."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from lambda_worker.failure import BatchFailed, Cancelled
from lambda_worker.generator import landlock, launch, namespaces, processes, streaming
from lambda_worker.generator.capture import Capture
from lambda_worker.generator.limits import Limits
from lambda_worker.generator.output_option import output_option
from lambda_worker.generator.sandbox import Sandbox
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.contract import ENTRY_POINT
from vbvrdatafactory.core.usage import RunUsage

_LANDLOCK, _NAMESPACES, _STREAMING = (module.__file__ for module in (landlock, namespaces, streaming))

_TICK_SECONDS = 0.05
_POLL_SECONDS = 0.01
_MEMORY_SECONDS = 0.1
_DETACHED_SECONDS = 1.0
_DISK_SECONDS = 0.5
_GRACE_SECONDS = 2.0
_NOTHING = RunUsage(samples=0, seconds=0.0)

Tick = Callable[[], None]


@dataclass(frozen=True)
class RunRequest:
    """How to run a generator.

    Args:
        generator: its folder.
        num_samples: how many samples to ask for.
        seed: the seed to pass.
        python_hash_seed: its PYTHONHASHSEED.
        seconds: how long it may take.
        cancelled: when set, the run ends at once.
        interpreter: the Python that runs it; it has the packages that the generator imports.
        stream: whether a generator that follows the public template writes each sample as soon as it is made.
        is_ours: whether it is a script of the worker's own, which starts no processes and writes next to nothing: what
            it may have started all the same is looked for when its sandbox goes.
    """

    generator: Path
    num_samples: int
    seed: int
    python_hash_seed: int
    seconds: float
    cancelled: threading.Event
    interpreter: Path = Path(sys.executable)
    stream: bool = True
    is_ours: bool = False


@dataclass(frozen=True)
class GeneratorRun:
    """One execution of a generator's program.

    Args:
        exit_code: of its process; a negative one is the signal that ended it.
        stderr_tail: the last lines of its stderr.
        seconds: how long it took.
        generated: how many samples it reported as finished, in lines on stdout.
        streamed: whether it wrote each sample as soon as it was made.
        stopped: why the worker stopped it; None where it ended by itself.
        usage: what it used.
    """

    exit_code: int
    stderr_tail: str
    seconds: float
    generated: int
    streamed: bool
    stopped: BatchFailed | None = None
    usage: RunUsage = _NOTHING


def run_generator(box: Sandbox, job: RunRequest, limits: Limits, tick: Tick = lambda: None) -> GeneratorRun:
    """Run the generator's script; its samples land in ``box.output``. `tick` is called while it runs.

    Raises:
        BatchFailed: there is no such generator, no time, or no option for the output folder.
        Cancelled: `job.cancelled` was set.
    """
    script = (job.generator / ENTRY_POINT).resolve()
    if not script.is_file():
        where = job.generator.parent
        raise BatchFailed(
            Cause.UNKNOWN_GENERATOR, f"{job.generator.name!r} has no {ENTRY_POINT} under {where}"
        )
    if job.seconds <= 0:
        raise BatchFailed(Cause.DEADLINE, "no time was left to run the generator")
    environment = box.environment(job.generator.resolve(), job.python_hash_seed)
    option = output_option(script, job.interpreter, environment)
    arguments = ["--num-samples", str(job.num_samples), "--seed", str(job.seed), option, str(box.output)]
    return run_script(box, script, arguments, job, limits, tick)


def run_script(  # noqa: PLR0913 - what, how and within what
    box: Sandbox,
    script: Path,
    arguments: list[str],
    job: RunRequest,
    limits: Limits,
    tick: Tick = lambda: None,
) -> GeneratorRun:
    """Run any script in the sandbox as a generator's is run, with these arguments.

    Raises:
        Cancelled: `job.cancelled` was set.
    """
    environment = box.environment(job.generator.resolve(), job.python_hash_seed)
    return _Supervisor(box, job, limits, tick).run(_orders(box, script, arguments, job, limits), environment)


def _orders(
    box: Sandbox, script: Path, arguments: list[str], job: RunRequest, limits: Limits
) -> dict[str, object]:
    """What the launcher does before it becomes the generator."""
    return {
        "parent": os.getpid(),
        "script": str(script),
        "arguments": arguments,
        "root": str(box.root),
        "writable": [str(folder) for folder in box.writable],
        "output": str(box.output),
        "file_bytes": limits.file_bytes,
        "open_files": limits.open_files,
        "landlock": _LANDLOCK,
        "namespaces": _NAMESPACES if namespaces.are_allowed() else None,
        "shared_bytes": limits.memory_bytes // 2,
        "stream": _STREAMING if job.stream else None,
    }


class _Supervisor:
    """Supervises one execution."""

    def __init__(self, box: Sandbox, job: RunRequest, limits: Limits, tick: Tick) -> None:
        self._box, self._job, self._limits, self._tick = box, job, limits, tick
        self._before = processes.children()
        self._stopped: BatchFailed | None = None
        self._most_memory = self._most_disk = 0
        self._next = {self._check_memory: 0.0}
        if not job.is_ours:
            self._next |= {self._check_detached: _DETACHED_SECONDS, self._check_disk: 0.0}

    def run(self, orders: dict[str, object], environment: dict[str, str]) -> GeneratorRun:
        started = time.monotonic()
        process = launch.start(
            orders, interpreter=self._job.interpreter, cwd=self._job.generator, environment=environment
        )
        assert process.stdout
        assert process.stderr
        out, err = Capture(process.stdout), Capture(process.stderr)
        waiter = ProcessWaiter(process)
        left = 0
        try:
            self._watch(process, waiter, started)
            left = self._count_left()
        finally:
            waiter.read_times()
            self._end(process)
            waiter.close()
            out.finish()
            err.finish()
        seconds = time.monotonic() - started
        return GeneratorRun(
            process.wait(),
            err.tail,
            seconds,
            out.generated,
            self._box.streams,
            self._stopped,
            self._usage(seconds, waiter, left),
        )

    def _usage(self, seconds: float, waiter: "ProcessWaiter", left_processes: int) -> RunUsage:
        beside = 0 if self._job.is_ours else self._box.disk_bytes(but=self._box.output)
        disk = self._most_disk if self._job.is_ours else max(self._most_disk, self._box.disk_bytes())
        return RunUsage(
            samples=self._job.num_samples,
            seconds=round(seconds, 3),
            cpu_seconds=round(waiter.cpu_seconds, 3),
            # What the kernel counted includes the moment before the process became the generator: this worker's memory.
            memory_bytes=self._most_memory or waiter.memory_bytes,
            disk_bytes=disk,
            left_bytes=beside,
            left_processes=left_processes,
        )

    def _count_left(self) -> int:
        """Processes that a generator which has ended by itself has left: this one inherited them."""
        return 0 if self._stopped or self._job.is_ours else len(processes.orphans(self._before))

    def _watch(self, process: subprocess.Popen[bytes], waiter: "ProcessWaiter", started: float) -> None:
        while not waiter.wait(_TICK_SECONDS) and not self._stopped:
            self._tick()
            elapsed = time.monotonic() - started
            if self._job.cancelled.is_set():
                raise Cancelled
            if elapsed > self._job.seconds:
                self._stopped = BatchFailed(
                    Cause.DEADLINE, f"the generator was stopped after {elapsed:.0f} s"
                )
            for check, due in self._next.items():
                if elapsed >= due:
                    self._next[check] = check(process.pid, elapsed)
        if self._stopped and self._stopped.cause is Cause.DEADLINE:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            waiter.wait(_GRACE_SECONDS)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        processes.ended(process.pid)
        if not self._job.is_ours:
            processes.end_all(self._box.root, self._before)

    def _check_memory(self, pid: int, elapsed: float) -> float:
        self._judge_memory(processes.resident_bytes(processes.family(pid)))
        self._most_memory = max(self._most_memory, processes.peak_bytes(pid))
        # A batch is short of a second at times: its first moments are looked at more often.
        return elapsed + min(_MEMORY_SECONDS, max(_TICK_SECONDS, elapsed / 10))

    def _check_detached(self, pid: int, elapsed: float) -> float:
        """Check processes that left their parents, and files without a name, which the other checks do not see."""
        everyone = processes.family(pid) | processes.members(self._box.root)
        self._judge_memory(processes.resident_bytes(everyone))
        self._judge_disk(processes.unnamed_bytes(everyone))
        return elapsed + _DETACHED_SECONDS

    def _judge_memory(self, used: int) -> None:
        self._most_memory = max(self._most_memory, used)
        if used > self._limits.memory_bytes:
            self._stopped = BatchFailed(
                Cause.MEMORY,
                f"the generator used {used >> 20} MB of memory; {self._limits.memory_bytes >> 20} MB are its share",
            )

    def _judge_disk(self, used: int) -> None:
        if used > self._limits.disk_bytes:
            share = self._limits.disk_bytes >> 20
            self._stopped = BatchFailed(
                Cause.DISK, f"the generator wrote {used >> 20} MB; {share} MB are its share"
            )

    def _check_disk(self, pid: int, elapsed: float) -> float:
        del pid
        began = time.monotonic()
        used = self._box.disk_bytes()
        self._most_disk = max(self._most_disk, used)
        self._judge_disk(used)
        # Thousands of files take a while to stat: at most a twentieth of the time goes into it.
        return elapsed + max(_DISK_SECONDS, 20 * (time.monotonic() - began))


class ProcessWaiter:
    """Waits for a process, and wakes the moment it ends where the kernel has pidfds.

    Attributes:
        cpu_seconds: of the process and of all that it waited for.
        memory_bytes: the most that one of these had in memory, or this process when it began it; 0 where it was killed.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.cpu_seconds = 0.0
        self.memory_bytes = 0
        self._handle = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None

    def wait(self, seconds: float) -> bool:
        """Whether the process ended within `seconds`."""
        if self._handle is not None:
            select.select([self._handle], [], [], seconds)
            return self._has_ended()
        end = time.monotonic() + seconds
        while not (ended := self._has_ended()) and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        return ended

    def _has_ended(self) -> bool:
        """Whether it has; then what the kernel counted of it is known, which `Popen` itself does not ask for."""
        if self._process.returncode is None:
            pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self.cpu_seconds = used.ru_utime + used.ru_stime
                self.memory_bytes = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return self._process.returncode is not None

    def read_times(self) -> None:
        """Read the processor time of one that is about to be killed."""
        if self._process.returncode is None:
            with suppress(psutil.Error, OSError):
                self.cpu_seconds = sum(psutil.Process(self._process.pid).cpu_times()[:4])

    def close(self) -> None:
        """Close the pidfd."""
        if self._handle is not None:
            os.close(self._handle)
