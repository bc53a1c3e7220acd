"""Runs a generator in the sandbox and keeps what the runs are compared by: digests of every file, and names in its temp folder."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from lambda_worker.failure import BatchFailed, from_exit
from lambda_worker.generator.limits import Limits
from lambda_worker.generator.run import GeneratorRun, RunRequest, run_generator
from lambda_worker.generator.sandbox import Sandbox, sandbox
from lambda_worker.generator.streaming import RERUN
from lambda_worker.samples.collect import CollectedSamples, collect
from vbvrdatafactory.core.contract import METADATA, QUESTION_METADATA
from vbvrdatafactory.core.models import TaskMessage

# These may hold the time of day, or an id that counts within its batch.
NOT_COMPARED = frozenset({METADATA, QUESTION_METADATA})

# SHA-256 of a sample's files, by their names.
Digests = Mapping[str, str]


@dataclass(frozen=True)
class CheckedRun:
    """One run.

    Args:
        count: how many samples were asked for.
        samples: digests of the files of each whole sample, by its index.
        problem: why samples are missing or torn; empty where all are whole.
        failed: how its process failed; None where it ended well.
        stderr: the end of its stderr.
        temp: names of the files that it left in its temp folder.
        seconds: how long it took.
    """

    count: int
    samples: Mapping[int, Digests]
    problem: str
    failed: BatchFailed | None
    stderr: str
    temp: frozenset[str]
    seconds: float


@dataclass(frozen=True)
class Runner:
    """Runs one generator.

    Args:
        folder: the generator's.
        interpreter: its Python.
        seconds: what one run may take.
        limits: what it may use.
    """

    folder: Path
    interpreter: Path
    seconds: float = 120.0
    limits: Limits = field(default_factory=Limits)

    def run(self, count: int, *, seed: int, python_hash_seed: int, stream: bool = False) -> CheckedRun:
        """Ask for `count` samples; with `stream` as the worker does first, each written as soon as it is made."""
        job = RunRequest(
            self.folder,
            count,
            seed,
            python_hash_seed,
            self.seconds,
            threading.Event(),
            self.interpreter,
            stream,
        )
        done = self._once(job)
        # What came out early is not what the script means to write: the worker runs it as it is, and so does this.
        return (
            self._once(replace(job, stream=False)) if done.failed and done.failed.exit_code == RERUN else done
        )

    def _once(self, job: RunRequest) -> CheckedRun:
        message = TaskMessage(type="generator", num_samples=job.num_samples, seed=job.seed)
        with sandbox() as box:
            try:
                run = run_generator(box, job, self.limits)
            except BatchFailed as failed:
                return CheckedRun(
                    job.num_samples, {}, failed.detail, failed, failed.stderr_tail, frozenset(), 0.0
                )
            found = collect(box.output, message)
            samples = {one.index: _digests(one.files()) for one in found.whole}
            return CheckedRun(
                job.num_samples, samples, _problem(found, job.num_samples), _failed(run), run.stderr_tail,
                _left_in_temp(box), run.seconds,
            )  # fmt: skip


def _failed(run: GeneratorRun) -> BatchFailed | None:
    if run.stopped:
        return run.stopped
    return from_exit(run.exit_code, run.stderr_tail) if run.exit_code else None


def _problem(found: CollectedSamples, count: int) -> str:
    try:
        found.check(range(count))
    except BatchFailed as lacking:
        return lacking.detail
    return ""


def _digests(files: list[Path]) -> Digests:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in files}


def _left_in_temp(box: Sandbox) -> frozenset[str]:
    temp = box.root / "tmp"
    return frozenset(str(path.relative_to(temp)) for path in temp.rglob("*") if path.is_file())
