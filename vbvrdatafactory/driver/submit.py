"""Submits the messages that make what is missing: all of it, or a few probes of a generator first."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from vbvrdatafactory.control import circuit_breaker
from vbvrdatafactory.core.errors import UnreadableRecordError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.driver.messages import messages_for
from vbvrdatafactory.driver.run import Run
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.sqs.submitter import SUBMIT_THREADS, TaskSubmitter

# Called with (sent, not sent) after each SendMessageBatch.
OnSent = Callable[[int, int], None]


class Submitted(NamedTuple):
    """What was sent for one generator.

    Args:
        messages: how many.
        held_back: what waits for the outcome of probes; None where nothing does.
        problem: why nothing could be sent; empty where it could.
    """

    messages: int = 0
    held_back: Gap | None = None
    problem: str = ""


def submit_gap(
    services: Services, run: Run, gap: Gap, proven: Collection[str] = (), *, threads: int = SUBMIT_THREADS
) -> Submitted:
    """Send the messages that make exactly what one generator lacks; see `submit_gaps`."""
    return submit_gaps(services, run, [gap], proven, threads=threads)[0]


def submit_gaps(  # noqa: PLR0913 - services, the run, and how to send
    services: Services,
    run: Run,
    gaps: Iterable[Gap],
    proven: Collection[str] = (),
    *,
    threads: int = SUBMIT_THREADS,
    on_sent: OnSent | None = None,
) -> list[Submitted]:
    """Send the messages that make exactly what some generators lack, one generator after the other.

    Of a generator that is not proven and lacks many messages, only probes are sent. Before the first message of each
    generator the send guard is waited for.

    Args:
        services: the bucket and the queue.
        run: the run that sends.
        gaps: what each generator lacks.
        proven: generators that need no probes, besides those whose latest record is a receipt.
        threads: SendMessageBatch calls under way at once.
        on_sent: called with (sent, not sent) after each call.

    Raises:
        DatasetLockLost: another run makes the dataset now.
        DataFactoryError: some messages could not be sent; the first is named, and the next round sends them again.

    A generator whose records can't be read is sent nothing; the others go on.
    """
    gaps = list(gaps)
    evidence = take_evidence(services.samples(run.plan.spec.prefix), [gap.generator for gap in gaps])
    portions = [_Portion(services, run, gap, evidence, proven) for gap in gaps]
    stream = (message for portion in portions for message in portion)
    submitter = TaskSubmitter(services.config.sqs_queue_url, client=services.sqs, threads=threads)
    result = submitter.submit(stream, on_sent)
    result.raise_if_unsent()
    return [portion.submitted for portion in portions]


def _certifying(messages: Iterator[TaskMessage], first: int) -> Iterator[TaskMessage]:
    """The messages, the `first` of them with the generator run again after them."""
    for count, message in enumerate(messages):
        yield message.certifying() if count < first else message


class _Portion:
    """The messages to send for one generator now; iterated once."""

    def __init__(
        self, services: Services, run: Run, gap: Gap, evidence: Evidence, proven: Collection[str]
    ) -> None:
        self.gap = gap
        self._services = services
        self._run = run
        self._evidence = evidence
        self._is_proven = gap.generator in proven
        self._read = 0
        self._held_back: Gap | None = None
        self._problem = ""

    def __iter__(self) -> Iterator[TaskMessage]:
        try:
            yield from self._messages()
        except UnreadableRecordError as error:
            self._problem = str(error)

    def _messages(self) -> Iterator[TaskMessage]:
        run, gap = self._run, self.gap
        # Who sends probes alone asks for certificates: without one, samples prove nothing of what others take.
        is_proven = self._is_proven and not run.sends_probes_alone
        is_certified = is_proven or gap.generator in run.certified
        probes = circuit_breaker.probes(self._evidence, gap.generator, is_certified=is_certified)
        if is_proven:
            probes = None
        planned = messages_for(self._services.samples(run.plan.spec.prefix), run.plan, [gap], self._evidence)
        if not is_certified:
            planned = _certifying(planned, probes or circuit_breaker.PROBES)
        handful = (probes or 0) if run.sends_probes_alone else circuit_breaker.HANDFUL
        messages, is_held = circuit_breaker.first_portion(planned, probes, handful)
        if is_held:
            probing = list(messages)
            self._held_back = gap.without(part for message in probing for part in message.wanted)
            messages = iter(probing)
        run.guard.wait_until_open(self._services)
        for message in messages:
            self._read += 1
            yield self._addressed(message)

    def _addressed(self, message: TaskMessage) -> TaskMessage:
        bucket = self._run.output_bucket
        return message.model_copy(update={"output_bucket": bucket}) if bucket else message

    @property
    def submitted(self) -> Submitted:
        """What was sent of it, once all of it was read and taken by SQS."""
        return Submitted(self._read, self._held_back, self._problem)
