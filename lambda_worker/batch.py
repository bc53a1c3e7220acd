"""One batch from message to receipt: run the generator, collect the whole samples, upload them, write a record.

Whatever goes wrong, whole samples are uploaded first, under their own indices, and a failure record with the cause
is written before the failure is reported. The receipt is written last.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import count
from pathlib import Path

import psutil
from obstore.store import ObjectStore

from lambda_worker import records
from lambda_worker.certifying import Repeating
from lambda_worker.delivery import Delivery
from lambda_worker.failure import BatchFailed, RunsElsewhere, from_exit
from lambda_worker.gate.bands import Bands
from lambda_worker.gate.gate import Gate, GateUsage, Verdict
from lambda_worker.generator.environments import Environments
from lambda_worker.generator.limits import Limits
from lambda_worker.generator.run import GeneratorRun, RunRequest, run_generator
from lambda_worker.generator.sandbox import sandbox
from lambda_worker.generator.streaming import RERUN
from lambda_worker.idempotency import AlreadyFinished, EarlierResult, find_earlier_result, raise_if_finished
from lambda_worker.samples.archives import upload_archives
from lambda_worker.samples.collect import CollectedSamples, Sample, SampleWatcher, collect
from lambda_worker.samples.upload import FileUploads, Uploaded, within
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import compress
from vbvrdatafactory.core.usage import Host, RunUsage, Usage

# Of the time that is left, this share is kept for storing what the generator made.
_UPLOAD_SHARE = 0.15
# A crash is salvaged by so many shorter runs at the most.
_SHORTER_RUNS = 4
# To write why a batch failed, when the bucket did not take its samples in time.
_RECORD_SECONDS = 3.0


@dataclass(frozen=True)
class Worker:
    """Makes batches.

    Args:
        generators: folder with a folder for each generator.
        open_bucket: returns the store of a bucket by its name (None for the default bucket) and a prefix in it.
        limits: limits of each generator run.
        host: what it runs on.
    """

    generators: Path
    open_bucket: Callable[[str | None, str], ObjectStore]
    limits: Limits = field(default_factory=Limits)
    host: Host = field(default_factory=Host)

    @cached_property
    def _begun(self) -> Iterator[int]:
        """Counts its batches."""
        return count()

    @cached_property
    def bands(self) -> Bands:
        """What is usual for samples of its generators."""
        return Bands()

    @cached_property
    def environments(self) -> Environments:
        """The environments of its generators."""
        return Environments(self.generators)

    def process(self, delivery: Delivery) -> TaskResult:
        """Make and upload one batch; one that is whole in the bucket already is left as it is.

        Raises:
            BatchFailed: something asked for is not stored; the failure record is written.
            Cancelled: the delivery was cancelled; nothing is recorded.
            RunsElsewhere: this worker can't run the generator; nothing is recorded.
            NewerSchemaError: a newer version has filed the batch's receipt.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="idempotency") as pool:
            try:
                return self._process(delivery, pool)
            except AlreadyFinished as before:
                return before.result
            except BatchFailed as failed:
                # Whatever it failed of, it was paid for until now.
                seconds = round(time.monotonic() - delivery.began, 3)
                run = RunUsage(samples=delivery.message.num_samples, seconds=seconds)
                failed.usage = failed.usage or Usage(runs=(run,), seconds=seconds, host=self.host)
                self.record_failure(delivery, failed)
                raise

    def _process(self, delivery: Delivery, pool: ThreadPoolExecutor) -> TaskResult:
        message, started = delivery.message, time.monotonic()
        store = self.open_bucket(message.output_bucket, message.output_prefix or "")
        environment = self.environments.of(message.type)
        origin = records.Origin.of(self.generators / message.type, environment)
        # Checked while the generator already starts: the answer is almost always no.
        earlier = pool.submit(find_earlier_result, store, message, delivery.seed, origin)
        if message.output_bucket or message.output_prefix:
            # A bucket or a prefix that is not this worker's is refused before any code runs for it.
            wait([earlier])
            raise_if_finished(earlier)
        made = self._make(delivery, store, environment.interpreter, origin, earlier)
        seconds = time.monotonic() - started
        usage = made.usage(seconds, self.host, is_first=next(self._begun) == 0)
        result = made.result(message, seconds)
        batch = records.StoredBatch(made.samples, made.uploaded, result, made.verdict.profiles, usage)
        try:
            made.check(delivery)
        except BatchFailed as failed:
            failed.usage = usage
            if made.samples:
                records.record_receipt(store, delivery, batch, origin, is_partial=True)
            raise
        if message.certify:
            batch = self._certify(delivery, batch, made)
        earlier.result()  # a newer version's receipt is not followed by one of this version
        records.record_receipt(store, delivery, batch, origin)
        return result

    def _certify(
        self, delivery: Delivery, batch: records.StoredBatch, made: "_Attempt"
    ) -> records.StoredBatch:
        """The batch with whether its generator makes the same samples again."""
        began = time.monotonic()
        repeating = Repeating(
            made.job,
            delivery.message,
            self.limits,
            {index: one.digest for index, one in batch.uploaded.samples.items()},
            delivery.seconds_left * (1 - _UPLOAD_SHARE),
            made.run.seconds,
        )
        repetition = repeating.compare()
        seconds = round(time.monotonic() - began, 3)
        usage = batch.usage.model_copy(update={"certifying_seconds": seconds})
        return batch._replace(usage=usage, repetition=repetition)

    def record_failure(self, delivery: Delivery, failed: BatchFailed) -> None:
        """Write why a batch failed."""
        message = delivery.message
        try:
            environment = self.environments.of(message.type)
        except (BatchFailed, RunsElsewhere):
            environment = None
        origin = records.Origin.of(self.generators / message.type, environment)
        # A bucket or a prefix that refuses this worker takes no record either.
        is_refused = failed.cause is Cause.ACCESS_DENIED
        bucket, prefix = (None, "") if is_refused else (message.output_bucket, message.output_prefix or "")
        records.record_failure(self.open_bucket(bucket, prefix), delivery, failed, origin)

    def _make(
        self,
        delivery: Delivery,
        store: ObjectStore,
        interpreter: Path,
        origin: records.Origin,
        earlier: EarlierResult,
    ) -> "_Attempt":
        """Run with streaming; on RERUN run without; after a crash run for fewer samples."""
        message = delivery.message
        job = RunRequest(
            generator=self.generators / message.type,
            num_samples=message.num_samples,
            seed=delivery.seed,
            python_hash_seed=delivery.python_hash_seed,
            seconds=delivery.seconds * (1 - _UPLOAD_SHARE),
            cancelled=delivery.cancelled,
            interpreter=interpreter,
        )
        deadline = time.monotonic() + job.seconds
        made = self._attempt(delivery, store, job, origin, earlier)
        job = replace(job, stream=False)
        if made.run.exit_code == RERUN:
            made = self._attempt(
                delivery, store, replace(job, seconds=deadline - time.monotonic()), origin, earlier
            )
        for shorter_count in made.shorter_runs():
            job = replace(job, num_samples=shorter_count, seconds=deadline - time.monotonic())
            if job.seconds < made.run.seconds:
                break
            shorter = self._attempt(delivery, store, job, origin, earlier)
            made = made.with_samples_of(shorter)
            if shorter.run.exit_code == 0:
                break
        return made

    @staticmethod
    @contextmanager
    def _closed(uploads: FileUploads) -> Iterator[None]:
        """End the uploads with the block; after one that was not in time nothing is waited for."""
        try:
            yield
        except BatchFailed:
            uploads.abandon()
            raise
        except BaseException:
            uploads.close()
            raise
        uploads.close()

    def _attempt(
        self,
        delivery: Delivery,
        store: ObjectStore,
        job: RunRequest,
        origin: records.Origin,
        earlier: EarlierResult,
    ) -> "_Attempt":
        """Run the generator once, and upload the whole samples that it wrote.

        Nothing is stored before it is known whether the batch is there already.
        """
        message, wanted = delivery.message, set(delivery.wanted)
        as_files = message.output_format == "files"
        uploads = FileUploads(store, message.type)
        band = self.bands.find(store, message.type, origin.code)
        gate = Gate(self.limits, max(delivery.seconds_left, _RECORD_SECONDS), delivery.cancelled, band)
        with sandbox() as box, self._closed(uploads), gate:
            watch = SampleWatcher(box.output, message)

            def upload_new() -> None:
                raise_if_finished(earlier)
                for sample in watch.new() if as_files and box.streams else ():
                    if sample.index in wanted:
                        gate.offer(sample)
                for sample in gate.passed() if earlier.done() else ():
                    # One that was deleted or changes is checked when the run has ended.
                    with suppress(OSError):
                        uploads.upload(sample)

            run = run_generator(box, job, self.limits, upload_new)
            found = CollectedSamples([]) if run.exit_code == RERUN else collect(box.output, message)
            verdict = gate.judge([sample for sample in found.whole if sample.index in wanted])
            samples = verdict.passed
            wait([earlier], max(0, delivery.seconds_left - _RECORD_SECONDS))
            raise_if_finished(earlier)
            finish = (
                partial(uploads.finish, samples)
                if as_files
                else partial(upload_archives, store, message.type, samples)
            )
            uploaded = within(delivery.seconds_left - _RECORD_SECONDS, finish)
            if verdict.band:
                self.bands.file(store, message.type, origin.code, verdict.band)
        return _Attempt(uploaded, samples, found, run, verdict, job, (run.usage,), gate.usage)


@dataclass(frozen=True)
class _Attempt:
    """One run of the generator for a batch: what was uploaded, what else it wrote, and how it ended."""

    uploaded: Uploaded
    samples: list[Sample]
    found: CollectedSamples
    run: GeneratorRun
    verdict: Verdict
    job: RunRequest
    runs: tuple[RunUsage, ...]
    gate: GateUsage

    def shorter_runs(self) -> Iterator[int]:
        """Sample counts to run again with: a generator that writes at the end leaves nothing when it crashes.

        A run of k is mostly the first k of a run of n, and its output says how many it had finished.
        """
        by_itself = self.run.stopped is None or self.run.stopped.cause is Cause.MEMORY
        count = self.run.generated if by_itself and not self.found.whole else 0
        for _ in range(_SHORTER_RUNS):
            if count:
                yield count
            count //= 2

    def with_samples_of(self, other: "_Attempt") -> "_Attempt":
        """The attempt together with what another run uploaded."""
        uploaded = self.uploaded.and_then(other.uploaded)
        samples = {sample.index: sample for sample in (*self.samples, *other.samples)}
        verdict = self.verdict._replace(profiles=self.verdict.profiles | other.verdict.profiles)
        in_order = [samples[index] for index in sorted(samples)]
        gate = GateUsage(
            self.gate.cpu_seconds + other.gate.cpu_seconds,
            max(self.gate.memory_bytes, other.gate.memory_bytes),
        )
        return replace(
            self,
            uploaded=uploaded,
            samples=in_order,
            verdict=verdict,
            runs=(*self.runs, *other.runs),
            gate=gate,
        )

    def check(self, delivery: Delivery) -> None:
        """Raise unless all wanted samples are uploaded, with how the process ended as the reason.

        Raises:
            BatchFailed: some are not.
        """
        stored = [sample.index for sample in self.samples]
        found = replace(self.found, whole=self.samples)
        try:
            found.check(delivery.wanted)
        except BatchFailed as lacking:
            failed = self._why(lacking, delivery.message.start_index)
            failed.stored, failed.exit_code = compress(stored), self.run.exit_code
            failed.stderr_tail = self.run.stderr_tail
            raise failed from None

    def _why(self, lacking: BatchFailed, start_index: int) -> BatchFailed:
        if refused := self.verdict.refused:
            first = min(refused)
            detail = f"{len(refused)} samples were refused; index {first}: {refused[first]}"
            return BatchFailed(Cause.WRONG_GROUND_TRUTH, detail, pictures=self.verdict.pictures)
        if self.run.stopped:
            return replace(self.run.stopped, detail=f"{self.run.stopped.detail}; {lacking.detail}")
        if self.run.exit_code == 0:
            return lacking
        failed = from_exit(self.run.exit_code, self.run.stderr_tail)
        finished = len(self.found.whole) + len(self.found.torn) or self.run.generated
        failed.detail += f"; {finished} samples were finished, index {start_index + finished} was being made"
        return failed

    def usage(self, seconds: float, host: Host, *, is_first: bool) -> Usage:
        """What the batch used, which took so long on that host."""
        return Usage(
            runs=self.runs,
            seconds=round(seconds, 3),
            cpu_seconds=round(sum(run.cpu_seconds for run in self.runs) + self.gate.cpu_seconds, 3),
            worker_bytes=psutil.Process().memory_info().rss + self.gate.memory_bytes,
            objects=self.uploaded.files,
            stored_bytes=self.uploaded.bytes,
            is_first=is_first,
            host=host,
        )

    def result(self, message: TaskMessage, seconds: float) -> TaskResult:
        return TaskResult(
            generator=message.type,
            samples_uploaded=len(self.samples),
            sample_ids=[keys.sample_name(sample.task, sample.index) for sample in self.samples],
            tar_files=[archive.name for archive in self.uploaded.archives],
            files_uploaded=self.uploaded.files,
            bytes_uploaded=self.uploaded.bytes,
            seconds=round(seconds, 3),
        )
