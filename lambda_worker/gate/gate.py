"""Measures the samples of a batch, and says which are not to be stored, and why."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

from lambda_worker.failure import BatchFailed
from lambda_worker.gate.judge import Measure, calibrate, is_settled, refuse
from lambda_worker.gate.process import Measuring, measuring, to_measure
from lambda_worker.generator.limits import Limits
from lambda_worker.samples.collect import Sample
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.records import Band, Picture, Profile

log = logging.getLogger(__name__)

# Of so many refused samples pictures are kept.
_MOST_SHOWN = 2


class Verdict(NamedTuple):
    """What the gate says of a batch.

    Args:
        passed: the samples to store.
        refused: why others are not to be stored, by their indices.
        pictures: of some of these.
        band: the generator's, as this batch showed it; None where one was known, or it showed none that is settled.
        profiles: of the videos of the samples that passed, by their indices.
    """

    passed: list[Sample]
    refused: dict[int, str]
    pictures: tuple[Picture, ...]
    band: Band | None
    profiles: dict[int, Profile]


class GateUsage(NamedTuple):
    """What measuring used: processor time in seconds, and the most memory of one process."""

    cpu_seconds: float = 0.0
    memory_bytes: int = 0


class _Asked(NamedTuple):
    """A sample that is being measured: as it was then, by which process, and the number of its answer."""

    sample: Sample
    fingerprint: object
    process: Measuring
    number: int


@dataclass
class Gate:
    """The gate of one batch; use it in a `with` statement.

    Args:
        limits: what the process that measures may use.
        seconds: how long it may take.
        cancelled: when set, it ends at once.
        band: what is usual for the generator; None where that is not known yet, and shown by this batch.
    """

    limits: Limits
    seconds: float
    cancelled: threading.Event
    band: Band | None = None
    _asked: dict[int, _Asked] = field(default_factory=dict)
    _out: set[int] = field(default_factory=set)
    _suspected: set[int] = field(default_factory=set)
    _process: Measuring | None = None
    _processes: list[Measuring] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self._stack.__enter__()
        # Its imports are done when the generator's first sample is there.
        self._running()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def offer(self, sample: Sample) -> None:
        """Measure a sample while the generator still runs."""
        self._ask(sample)

    def passed(self) -> Iterator[Sample]:
        """Samples that have been measured since, and may be stored; none before the generator's band is known."""
        if self.band is None:
            return
        answers = self._process.answers() if self._process else {}
        for index, asked in self._asked.items():
            if index in self._out or asked.process is not self._process or asked.number not in answers:
                continue
            answer = answers[asked.number]
            self._out.add(index)
            if not refuse(to_measure(answer), self.band):
                yield asked.sample

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Measure what was not measured as it is now, and judge all.

        Raises:
            BatchFailed: nothing could be measured, or the time was over.
        """
        for sample in samples:
            known = self._asked.get(sample.index)
            if known is None or known.sample != sample or known.fingerprint != sample.fingerprint():
                self._ask(sample)
        measures = {sample.index: self._measure(sample) for sample in samples}
        found = None if self.band else calibrate([*measures.values()])
        band = self.band or found
        refused = {index: why for index, one in measures.items() if (why := refuse(one, band))}
        return Verdict(
            [sample for sample in samples if sample.index not in refused],
            refused,
            tuple(self._pictures([sample for sample in samples if sample.index in refused])),
            found if found and is_settled(found) else None,
            {i: one.profile for i, one in measures.items() if i not in refused and one.profile},
        )

    def _ask(self, sample: Sample) -> None:
        try:
            fingerprint = sample.fingerprint()
        except OSError:
            # One that was deleted is asked for again in the end, if it is there then.
            return
        process = self._running()
        number = process.ask(sample.folder, compares=self.band is None)
        self._asked[sample.index] = _Asked(sample, fingerprint, process, number)

    def _running(self) -> Measuring:
        if self._process is None:
            self._process = self._stack.enter_context(measuring(self.limits, self.seconds, self.cancelled))
            self._processes.append(self._process)
        return self._process

    @property
    def usage(self) -> GateUsage:
        """What measuring used; of processes that have ended."""
        runs = [process.run.usage for process in self._processes if process.run]
        return GateUsage(
            sum(run.cpu_seconds for run in runs), max((run.memory_bytes for run in runs), default=0)
        )

    def _measure(self, sample: Sample) -> Measure:
        """What was measured of a sample; two processes that ended at it are its fault.

        One may have been ended by something else, such as a host that is short of memory.
        """
        asked = self._asked[sample.index]
        answer = asked.process.wait_for(asked.number)
        if answer is not None:
            return to_measure(answer)
        why = self._why_it_ended(asked.process)
        if asked.process is self._process:
            self._process = None
        if asked.number - 1 in asked.process.answers():
            # It was at this one when it ended.
            if sample.index in self._suspected:
                return Measure(problem=f"its files can't be decoded: {why}")
            self._suspected.add(sample.index)
        self._ask(sample)
        return self._measure(sample)

    def _why_it_ended(self, process: Measuring) -> str:
        """How a process ended that did not answer.

        Raises:
            BatchFailed: it could not even begin, or its time was over.
        """
        run = process.run
        if run is None or (run.stopped and run.stopped.cause is Cause.DEADLINE):
            raise BatchFailed(Cause.DEADLINE, "the time was over while pictures and videos were checked")
        last = (run.stderr_tail.strip().splitlines() or ["no stderr"])[-1]
        if 0 not in process.answers():
            raise BatchFailed(
                Cause.NO_ENVIRONMENT, f"this worker can't check pictures and videos: {last}", run.exit_code
            )
        return run.stopped.detail if run.stopped else f"the decoder ended with {run.exit_code}: {last}"

    def _pictures(self, samples: Sequence[Sample]) -> Iterator[Picture]:
        for sample in samples[:_MOST_SHOWN]:
            process = self._running()
            answer = process.wait_for(process.ask(sample.folder, task="show"))
            if answer is None:
                self._process = None
            yield from _shown(sample.index, answer or {})


def _shown(index: int, answer: dict[str, Any]) -> Iterator[Picture]:
    for name, jpeg in answer.items():
        if isinstance(jpeg, str):
            yield Picture(sample_index=index, shows=name, jpeg=jpeg)
