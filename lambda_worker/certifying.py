"""Runs a generator again under the seed of a batch that was just made, to see whether it repeats itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from lambda_worker.failure import BatchFailed
from lambda_worker.generator.limits import Limits
from lambda_worker.generator.run import RunRequest, run_generator
from lambda_worker.generator.sandbox import sandbox
from lambda_worker.generator.streaming import RERUN
from lambda_worker.samples.collect import Sample, collect
from vbvrdatafactory.core.content import FileContent, content_digest
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.usage import Repetition, RunUsage

# A run of fewer is of so many of the batch's samples.
_SHARE = 4
# A run may take so many times what it took before.
_SLOWER = 2.0


@dataclass
class Repeating:
    """The runs that are made to see it.

    Args:
        job: how the batch was run.
        message: the batch.
        limits: what a run may use.
        digests: content digests of the batch's samples, by their indices.
        seconds: how long all of it may take.
        took: how long the batch's run took.
    """

    job: RunRequest
    message: TaskMessage
    limits: Limits
    digests: Mapping[int, str]
    seconds: float
    took: float
    _runs: list[RunUsage] = field(default_factory=list)

    def compare(self) -> Repetition:
        """Run it for fewer samples, as most make the first ones again then; where it does not, for as many."""
        count = self.message.num_samples
        fewer, differing, problem = None, None, ""
        if count > 1 and self._is_time(count // _SHARE or 1):
            differing, problem = self._differing(count // _SHARE or 1)
            fewer = differing is None and not problem
        same = None
        if not fewer and self._is_time(count):
            differing, problem = self._differing(count)
            same = differing is None and not problem
        return Repetition(
            runs=tuple(self._runs), of_fewer=fewer, same=same, differing=differing, problem=problem[:1000]
        )

    def _is_time(self, count: int) -> bool:
        used = sum(run.seconds for run in self._runs)
        return used + _SLOWER * self.took * count / self.message.num_samples < self.seconds

    def _differing(self, count: int) -> tuple[int | None, str]:
        """The first of `count` samples that a run does not make again, and why it made nothing to compare."""
        start = self.message.start_index
        wanted = sorted(index for index in self.digests if index < start + count)
        try:
            made = self._run(replace(self.job, num_samples=count, seconds=self.seconds))
        except BatchFailed as failed:
            return None, failed.detail
        if not made:
            return None, f"a run of {count} made no whole sample"
        return next((index for index in wanted if made.get(index) != self.digests[index]), None), ""

    def _run(self, job: RunRequest) -> dict[int, str]:
        message = self.message.model_copy(update={"num_samples": job.num_samples, "only_indices": None})
        with sandbox() as box:
            run = run_generator(box, job, self.limits)
            if run.exit_code != RERUN:
                self._runs.append(run.usage)
                return dict(_digests(collect(box.output, message).whole))
        return self._run(replace(job, stream=False))


def _digests(samples: list[Sample]) -> Iterator[tuple[int, str]]:
    for sample in samples:
        yield (
            sample.index,
            content_digest({path.name: FileContent.of(path.read_bytes()) for path in sample.files()}),
        )
