"""Sends what a dataset lacks within a time limit, and says where to go on from when that was too short.

For a caller that can't wait for probes or for a pause to end, such as the submit Lambda.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core.errors import DataFactoryError, UnreadableRecordError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.names import SafeName
from vbvrdatafactory.driver.guard import SendGuard, lock_dataset
from vbvrdatafactory.driver.messages import messages_for
from vbvrdatafactory.driver.mismatch import check_mismatch
from vbvrdatafactory.driver.observe import observe_plan
from vbvrdatafactory.driver.pricing import with_sizes
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.gaps import Gap, Observation
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.s3.specs import check_spec, write_spec
from vbvrdatafactory.sqs.submitter import TaskSubmitter

# Generators whose records are listed together.
_TOGETHER = 16
# Calls that are under way end within this.
_RESERVE_SECONDS = 20.0


class Cursor(BaseModel):
    """Where to go on: the first message that was not sent.

    Args:
        generator: its generator.
        start_index: the index of its first sample.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    generator: SafeName
    start_index: int = Field(ge=0)


class Sent(NamedTuple):
    """What was sent.

    Args:
        seen: what was there before.
        messages: how many messages were sent.
        cursor: where to go on; None where all was sent.
        problems: why nothing was sent for a generator, a line each.
    """

    seen: Observation
    messages: int
    cursor: Cursor | None
    problems: tuple[str, ...]


def send_missing(
    services: Services,
    plan: Plan,
    *,
    seconds_left: Callable[[], float],
    cursor: Cursor | None = None,
    replace_spec: bool = False,
) -> Sent:
    """File the spec and send what the bucket lacks, under the dataset's lock.

    Args:
        services: the bucket, the queue and the log.
        plan: the dataset's plan.
        seconds_left: how long it may still take.
        cursor: where an earlier call said to go on; its spec is filed already.
        replace_spec: file the spec even where the bucket describes another dataset under its name.

    Raises:
        Redefined: the spec is of another dataset, or made with another lock, and `replace_spec` is not set.
        DataFactoryError: a run makes the dataset, it is paused, or samples that the dataset does not ask for lie there.
    """
    if cursor is None:
        check_spec(services.bucket, plan.spec, replace=replace_spec)
    with lock_dataset(services, plan.spec.dataset, RunPolicy(if_busy="refuse")) as guard:
        if state := guard.pause(services):
            raise DataFactoryError(f"{plan.spec.dataset!r} is {guard.describe(state)}")
        seen = look(services, plan)
        plan = with_sizes(services, plan, seen)
        if cursor is None:
            write_spec(services.bucket, plan.spec, replace=replace_spec)
        stream = _Stream(services, plan, guard, seen.gaps, cursor, seconds_left)
        result = TaskSubmitter(services.config.sqs_queue_url, client=services.sqs).submit(stream)
        result.raise_if_unsent()
        return Sent(seen, stream.count, stream.cursor, tuple(stream.problems))


def look(services: Services, plan: Plan) -> Observation:
    """What the bucket has of the plan.

    Raises:
        DataFactoryError: samples that the dataset does not ask for lie there, and it does not say to keep or replace them.
    """
    seen = observe_plan(services, plan, save=False)
    check_mismatch(services.bucket, plan, seen)
    return seen


def count_messages(services: Services, plan: Plan, gaps: Iterable[Gap]) -> int:
    """How many messages would make what is missing."""
    return sum(1 for _ in messages_for(services.samples(plan.spec.prefix), plan, gaps))


class _Stream:
    """The messages to send; iterated once, it ends when all are read or the time is over."""

    def __init__(  # noqa: PLR0913 - what to send, for whom, from where, until when
        self,
        services: Services,
        plan: Plan,
        guard: SendGuard,
        gaps: Iterable[Gap],
        start: Cursor | None,
        seconds_left: Callable[[], float],
    ) -> None:
        self._services, self._plan, self._guard = services, plan, guard
        self._store = services.samples(plan.spec.prefix)
        self._gaps, self._start, self._seconds_left = gaps, start, seconds_left
        self.count = 0
        self.cursor: Cursor | None = None
        self.problems: list[str] = []

    def __iter__(self) -> Iterator[TaskMessage]:
        left = iter(self._from_start())
        while chunk := list(islice(left, _TOGETHER)):
            evidence = take_evidence(self._store, [gap.generator for gap in chunk])
            for gap in chunk:
                self._guard.check(self._services)
                try:
                    for message in messages_for(self._store, self._plan, [gap], evidence):
                        if self._is_before_start(message):
                            continue
                        if self._seconds_left() < _RESERVE_SECONDS:
                            self.cursor = Cursor(generator=message.type, start_index=message.start_index)
                            return
                        self.count += 1
                        yield message
                except UnreadableRecordError as error:
                    self.problems.append(str(error))

    def _from_start(self) -> Iterator[Gap]:
        """The gaps from the cursor's generator on, in the plan's order."""
        order = {name: place for place, name in enumerate(self._plan.generators)}
        first = order.get(self._start.generator, 0) if self._start else 0
        return (gap for gap in self._gaps if order[gap.generator] >= first)

    def _is_before_start(self, message: TaskMessage) -> bool:
        start = self._start
        # Sizes that are chosen may be others by now: a batch over the border was not sent as it is.
        return (
            start is not None
            and message.type == start.generator
            and message.indices.stop <= start.start_index
        )
