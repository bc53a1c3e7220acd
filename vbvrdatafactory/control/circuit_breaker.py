"""The circuit breaker: a generator that always fails is found out by a few messages, and so is one that was mended.

No state is kept for it: the records in the bucket say whether a generator is proven, and one receipt reopens
one that was broken. A generator that is not proven gets a few probes first; what became of them decides
whether it gets the rest.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import NamedTuple, TypeVar

from vbvrdatafactory.core.models import Cause
from vbvrdatafactory.planning.evidence import Evidence, FailedAttempt, SuccessRecord
from vbvrdatafactory.planning.gaps import Gap, Gaps

# So few messages are not worth waiting for the outcome of one.
HANDFUL = 4
PROBES = 2
# A generator that stays where it was for this many rounds is not asked again in this run.
FRUITLESS_ROUNDS = 2

_INFRASTRUCTURE = {Cause.UPLOAD, Cause.WORKER_LOST}

Item = TypeVar("Item")


class FailureSummary(NamedTuple):
    """Why a generator made nothing.

    Args:
        cause: the one of all its failures; None where there are several, or none on record.
        failed: the latest of them.
    """

    cause: Cause | None
    failed: FailedAttempt | None = None

    @property
    def is_final(self) -> bool:
        """Whether neither another seed nor a better hour would help."""
        cause = self.cause
        return cause is not None and not cause.is_seeds_fault and cause not in _INFRASTRUCTURE


def is_proven(evidence: Evidence, generator: str) -> bool:
    """Whether the latest that is on record of a generator is a batch that ended well."""
    return isinstance(evidence.newest(generator), SuccessRecord)


def probes(evidence: Evidence, generator: str) -> int | None:
    """How many messages to try a generator with first; None where its latest record is a receipt."""
    if is_proven(evidence, generator):
        return None
    return 1 if was_broken(evidence, generator) else PROBES


def was_broken(evidence: Evidence, generator: str) -> bool:
    """Whether what failed since its last receipt would have broken it: one cause, and no seed to blame."""
    failed = evidence.since_last_made(generator)
    salts = {f.key.salt for f in failed}
    summary = _summarize(failed)
    return summary.is_final or (summary.cause is not None and len(salts) >= FRUITLESS_ROUNDS)


def summarize_failures(evidence: Evidence, generator: str, since: datetime) -> FailureSummary:
    """What a generator's failures since its last receipt, and since then (the bucket's clock), have in common."""
    return _summarize([f for f in evidence.since_last_made(generator) if f.at >= since])


def _summarize(failed: list[FailedAttempt]) -> FailureSummary:
    causes = {f.key.cause for f in failed}
    return FailureSummary(causes.pop() if len(causes) == 1 else None, failed[-1] if failed else None)


def first_portion(items: Iterable[Item], probes: int | None) -> tuple[Iterator[Item], bool]:
    """What to send at once, and whether anything is held back: more than a handful, where probes come first.

    >>> [(list(portion), held) for portion, held in (first_portion("abc", 2), first_portion("abcde", 2))]
    [(['a', 'b', 'c'], False), (['a', 'b'], True)]
    """
    rest = iter(items)
    if probes is None:
        return rest, False
    head = list(islice(rest, HANDFUL + 1))
    if len(head) > HANDFUL:
        return iter(head[:probes]), True
    return chain(head, rest), False


@dataclass
class CircuitBreaker:
    """What this run has learnt of each generator: which are proven, which are given up and why."""

    proven: set[str] = field(default_factory=set)
    broken: dict[str, FailureSummary] = field(default_factory=dict)
    _fruitless: dict[str, int] = field(default_factory=dict)

    def worth_trying(self, gaps: Gaps) -> list[Gap]:
        """The gaps of generators that are not given up."""
        return [gap for gap in gaps if gap.generator not in self.broken]

    def progressed(self, tried: Iterable[Gap], after: Gaps) -> list[Gap]:
        """What is lacking still of those that lack less than when they were tried; they are proven."""
        moved = [gap.generator for gap in tried if after.of(gap.generator).samples < gap.samples]
        self.proven.update(moved)
        for generator in moved:
            self._fruitless.pop(generator, None)
        return [after.of(generator) for generator in moved if after.of(generator).samples]

    def stood_still(self, tried: Iterable[Gap], after: Gaps) -> list[Gap]:
        """Those of `tried` that lack as much as before."""
        return [gap for gap in tried if after.of(gap.generator).samples >= gap.samples]

    def learn(self, summaries: dict[str, FailureSummary]) -> dict[str, FailureSummary]:
        """Take in why generators made nothing in a round; returns those that are given up from now on."""
        given_up = {}
        for generator, why in summaries.items():
            self._fruitless[generator] = self._fruitless.get(generator, 0) + 1
            if why.is_final or self._fruitless[generator] >= FRUITLESS_ROUNDS:
                given_up[generator] = why
        self.broken |= given_up
        return given_up
