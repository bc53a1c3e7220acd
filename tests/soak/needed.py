"""Which messages a dataset needs when its generators fail under known seeds, by the rules that plan them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange, compress
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.replan import messages

_DAWN = datetime(2026, 1, 15, tzinfo=UTC)


class Trouble(NamedTuple):
    """Under which seeds a generator fails, of what cause, and how many samples are stored all the same."""

    seeds: frozenset[int]
    cause: Cause = Cause.CRASH
    fewer: int | None = None

    def stored(self, message: TaskMessage) -> int:
        if message.seed not in self.seeds:
            return message.num_samples
        return message.num_samples - self.fewer if self.fewer else 0


class Wanted(NamedTuple):
    """What tells one message of a dataset from another."""

    generator: str
    start: int
    samples: int
    salt: int
    only_indices: tuple[int, ...] | None

    @classmethod
    def of(cls, message: TaskMessage) -> "Wanted":
        return cls(message.type, message.start_index, message.num_samples, message.salt, message.only_indices)


def needed(plan: Plan, troubles: Mapping[str, Trouble]) -> set[Wanted]:
    """Every message until the dataset is complete; each is needed once."""
    return {
        Wanted.of(message)
        for name in plan.generators
        for message in _until_whole(plan, name, troubles.get(name, Trouble(frozenset())))
    }


def seeds_of(plan: Plan, generator: str, tiles: Iterable[int], salts: int) -> frozenset[int]:
    """The seeds of planned batches and of all that take their place, until they have failed under `salts` salts.

    Args:
        plan: the dataset's plan.
        generator: the one that is to fail.
        tiles: start indices of planned batches.
        salts: how many salts, 0 being the first.
    """
    seeds: set[int] = set()
    for start in tiles:
        gap = Gap(generator, (plan.generators[generator].planned_range(start),))
        failed: list[tuple[str, datetime]] = []
        for _ in range(salts):
            for message in [*messages(plan, gap, Evidence(failed), {})]:
                seeds.add(message.seed)
                failed.append((_failure(message, Cause.CRASH), _DAWN))
    return frozenset(seeds)


def _until_whole(plan: Plan, generator: str, trouble: Trouble) -> list[TaskMessage]:
    missing, listing, sent = set(range(plan.generators[generator].samples)), [], []
    while missing:
        gap = Gap(generator, tuple(compress(missing)))
        for message in [*messages(plan, gap, Evidence(listing), {})]:
            stored = trouble.stored(message)
            failed = stored < message.num_samples
            key = _failure(message, trouble.cause) if failed else _receipt(message)
            listing.append((key, _DAWN + timedelta(seconds=len(listing))))
            missing -= set(range(*IndexRange(message.start_index, message.start_index + stored)))
            sent.append(message)
    return sent


def _failure(message: TaskMessage, cause: Cause) -> str:
    return keys.failure(keys.FailureKey(message.type, message.indices, message.salt, 1, cause))


def _receipt(message: TaskMessage) -> str:
    return keys.receipt(keys.ReceiptKey(message.type, message.indices, message.salt, message.seed))
