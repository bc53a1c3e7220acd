"""Makes one recorded sample again: the run that made it, in the sandbox."""

import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lambda_worker.failure import BatchFailed, RunsElsewhere, from_exit
from lambda_worker.generator.environments import Environments
from lambda_worker.generator.limits import Limits
from lambda_worker.generator.run import RunRequest, run_generator
from lambda_worker.generator.sandbox import sandbox
from lambda_worker.samples.collect import Sample, collect
from vbvrdatafactory.core.content import FileContent
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.files import code_digest


class ReplayedSample(NamedTuple):
    """A sample that was made again.

    Args:
        files: size and SHA-256 of its files, by their names.
        code: digest of the generator's code as it is now.
        environment: digest of the environment that it ran in; empty where there is no lock.
        seconds: how long the run took.
    """

    files: Mapping[str, FileContent]
    code: str | None
    environment: str
    seconds: float


@dataclass(frozen=True)
class Replay:
    """Runs recorded runs again.

    Args:
        generators: the folder of the generators.
        seconds: what a run may take.
        limits: what it may use.
    """

    generators: Path
    seconds: float
    limits: Limits = field(default_factory=Limits)

    def run(
        self, message: TaskMessage, index: int, *, python_hash_seed: int, out: Path | None
    ) -> ReplayedSample:
        """Run `message` again, and keep its sample `index`.

        Args:
            message: the run: generator, seed, first index and count.
            index: which of its samples.
            python_hash_seed: the run's.
            out: a folder that the sample's files are copied to; None keeps none.

        Raises:
            DataFactoryError: there is no such generator, no environment for it, or it did not make the sample.
        """
        folder = self.generators / message.type
        if not folder.is_dir():
            raise DataFactoryError(
                f"generator {message.type!r} is not under {str(self.generators)!r}; set GENERATORS_PATH"
            )
        try:
            environment = Environments(self.generators).of(message.type)
            job = RunRequest(
                folder.resolve(),
                message.num_samples,
                message.seed or 0,
                python_hash_seed,
                self.seconds,
                threading.Event(),
                environment.interpreter,
                stream=False,
            )
            with sandbox() as box:
                run = run_generator(box, job, self.limits)
                found = collect(box.output, message)
                samples = [one for one in found.whole if one.index == index]
                if not samples and (run.stopped or run.exit_code):
                    raise run.stopped or from_exit(run.exit_code, run.stderr_tail)
                found.check([index])
                files = _take(samples[0], out)
        except BatchFailed as failed:
            raise DataFactoryError(_say(failed)) from failed
        except RunsElsewhere as elsewhere:
            raise DataFactoryError(f"{message.type} can't run here: {elsewhere}") from elsewhere
        code = code_digest(folder)
        return ReplayedSample(files, code, environment.made_by(code).environment, run.seconds)


def _take(sample: Sample, out: Path | None) -> dict[str, FileContent]:
    if out:
        out.mkdir(parents=True, exist_ok=True)
        for path in sample.files():
            shutil.copyfile(path, out / path.name, follow_symlinks=False)
    return {path.name: FileContent.of(path.read_bytes()) for path in sample.files()}


def _say(failed: BatchFailed) -> str:
    last = failed.stderr_tail.strip().splitlines()[-1:]
    return ": ".join([failed.detail, *last])
