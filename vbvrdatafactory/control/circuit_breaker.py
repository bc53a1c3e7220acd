"""The circuit breaker: a generator that always fails costs a few probe messages, and so does one that was fixed.

Its state is derived from the records in the bucket: a generator is proven if its latest record is a receipt, and it has a
certificate. For one that is not, a few probes are sent first, which certify it, and the rest only after one of them has
succeeded. A generator whose probes fail is skipped for the rest of the run.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import NamedTuple, TypeVar

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.planning.evidence import Evidence, FailedAttempt, SuccessRecord
from vbvrdatafactory.planning.gaps import Gap, Gaps

# At most this many messages are sent without probes.
HANDFUL = 4
PROBES = 2
# After this many rounds without a new sample a generator is skipped for the rest of the run.
FRUITLESS_ROUNDS = 2

_INFRASTRUCTURE = {Cause.UPLOAD, Cause.WORKER_LOST}

Item = TypeVar("Item")


class FailureSummary(NamedTuple):
    """Why a generator produced nothing.

    Args:
        cause: the cause of all its failures; None where there are several causes, or no failure record.
        failed: the latest failed attempt.
    """

    cause: Cause | None
    failed: FailedAttempt | None = None

    @property
    def is_final(self) -> bool:
        """Whether neither another seed nor a retry would help."""
        cause = self.cause
        return cause is not None and not cause.is_seeds_fault and cause not in _INFRASTRUCTURE


def is_proven(evidence: Evidence, generator: str) -> bool:
    """Whether the latest record of a generator is a receipt."""
    return isinstance(evidence.newest(generator), SuccessRecord)


def probes(evidence: Evidence, generator: str, *, is_certified: bool = True) -> int | None:
    """How many probes to send first; None where the generator is proven and certified."""
    if is_certified and is_proven(evidence, generator):
        return None
    return 1 if was_broken(evidence, generator) else PROBES


def was_broken(evidence: Evidence, generator: str) -> bool:
    """Whether the failures since its last receipt would make a run skip it: one cause, which no other seed avoids."""
    failed = evidence.since_last_made(generator)
    salts = {f.key.salt for f in failed}
    summary = _summarize(failed)
    return summary.is_final or (summary.cause is not None and len(salts) >= FRUITLESS_ROUNDS)


def summarize_failures(evidence: Evidence, generator: str, since: datetime) -> FailureSummary:
    """The failures of a generator after its last receipt, and not before `since` (S3's clock)."""
    return _summarize([f for f in evidence.since_last_made(generator) if f.at >= since])


def _summarize(failed: list[FailedAttempt]) -> FailureSummary:
    causes = {f.key.cause for f in failed}
    return FailureSummary(causes.pop() if len(causes) == 1 else None, failed[-1] if failed else None)


def first_portion(
    items: Iterable[Item], probes: int | None, handful: int = HANDFUL
) -> tuple[Iterator[Item], bool]:
    """What to send now, and whether the rest is held back: it is where probes come first and there are more than `handful`.

    >>> [(list(portion), held) for portion, held in (first_portion("abc", 2), first_portion("abcde", 2))]
    [(['a', 'b', 'c'], False), (['a', 'b'], True)]
    """
    rest = iter(items)
    if probes is None:
        return rest, False
    head = list(islice(rest, handful + 1))
    if len(head) > handful:
        return iter(head[:probes]), True
    return chain(head, rest), False


@dataclass
class CircuitBreaker:
    """The state of each generator in this run.

    Args:
        proven: generators that have succeeded.
        broken: generators that are skipped for the rest of the run, and why.
    """

    proven: set[str] = field(default_factory=set)
    broken: dict[str, FailureSummary] = field(default_factory=dict)
    _fruitless: dict[str, int] = field(default_factory=dict)

    def worth_trying(self, gaps: Gaps) -> list[Gap]:
        """The gaps of generators that are not skipped."""
        return [gap for gap in gaps if gap.generator not in self.broken]

    def progressed(self, tried: Iterable[Gap], after: Gaps) -> list[Gap]:
        """Mark generators that lack fewer samples than when they were tried as proven; returns their remaining gaps."""
        moved = [gap.generator for gap in tried if after.of(gap.generator).samples < gap.samples]
        self.proven.update(moved)
        for generator in moved:
            self._fruitless.pop(generator, None)
        return [after.of(generator) for generator in moved if after.of(generator).samples]

    def stood_still(self, tried: Iterable[Gap], after: Gaps) -> list[Gap]:
        """The gaps of `tried` that are as large as before."""
        return [gap for gap in tried if after.of(gap.generator).samples >= gap.samples]

    def learn(self, summaries: dict[str, FailureSummary]) -> dict[str, FailureSummary]:
        """Record why generators produced nothing in a round; returns those that are skipped from now on."""
        skipped = {}
        for generator, why in summaries.items():
            self._fruitless[generator] = self._fruitless.get(generator, 0) + 1
            if why.is_final or self._fruitless[generator] >= FRUITLESS_ROUNDS:
                skipped[generator] = why
        self.broken |= skipped
        return skipped
