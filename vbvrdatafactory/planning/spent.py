"""What the batches of a run took, by their receipts: to be set beside what was estimated."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from vbvrdatafactory.planning.batches import MeasuredBatch
from vbvrdatafactory.planning.prices import Processor
from vbvrdatafactory.planning.pricing import Terms, request_usd

# Receipts have the time of their workers, a run has that of the bucket.
_CLOCKS = timedelta(seconds=2)


class Took(NamedTuple):
    """What batches of one generator took.

    Args:
        batches: how many.
        samples: they were asked for.
        seconds: one after the other, with what only certified.
        gb_seconds: of Lambda.
        usd: what they cost by list prices, requests included.
    """

    batches: int = 0
    samples: int = 0
    seconds: float = 0.0
    gb_seconds: float = 0.0
    usd: float = 0.0

    def and_of(self, other: "Took") -> "Took":
        """The sum of two."""
        return Took(
            self.batches + other.batches,
            self.samples + other.samples,
            self.seconds + other.seconds,
            self.gb_seconds + other.gb_seconds,
            self.usd + other.usd,
        )


class Failures(NamedTuple):
    """What attempts took that failed.

    Args:
        attempts: how many.
        seconds: one after the other.
        objects: that they had put into the bucket all the same.
    """

    attempts: float = 0
    seconds: float = 0.0
    objects: float = 0


class Spent(NamedTuple):
    """What a run took so far, by generator."""

    by_generator: Mapping[str, Took] = MappingProxyType({})

    @property
    def total(self) -> Took:
        found = Took()
        for took in self.by_generator.values():
            found = found.and_of(took)
        return found

    def with_failed(self, generator: str, failures: "Failures", terms: Terms) -> "Spent":
        """The same with attempts of a generator that failed; they are no batches, and made no samples."""
        gb_seconds = _gb_seconds(failures.seconds, 0, terms.limits.side_by_side, terms)
        usd = gb_seconds * terms.prices.lambda_gb_second[terms.limits.processor]
        usd += request_usd(failures.objects, failures.attempts, terms.prices)
        failed = Took(0, 0, failures.seconds, gb_seconds, usd)
        return Spent(
            {**self.by_generator, generator: self.by_generator.get(generator, Took()).and_of(failed)}
        )


def spent_since(batches: Mapping[str, Sequence[MeasuredBatch]], since: datetime, terms: Terms) -> Spent:
    """What batches took that were done since then.

    Args:
        batches: of each generator, in order of time.
        since: by the bucket's clock.
        terms: the workers that made them, where their receipts do not say, and the prices.
    """
    found = {}
    for generator, its in batches.items():
        took = Took()
        for batch in its:
            if batch.made_at >= since - _CLOCKS:
                took = took.and_of(took_of(batch, terms))
        if took.batches:
            found[generator] = took
    return Spent(found)


def took_of(batch: MeasuredBatch, terms: Terms) -> Took:
    """What one batch took."""
    seconds = batch.seconds + batch.certifying_seconds
    gb_seconds = _gb_seconds(seconds, batch.function_mb, batch.side_by_side, terms)
    processor: Processor = "arm64" if batch.processor == "arm64" else "x86_64"
    price = terms.prices.lambda_gb_second[processor]
    invocation = terms.prices.lambda_million_requests / 1e6 / batch.side_by_side
    requests = request_usd(batch.objects, 1, terms.prices)
    return Took(1, batch.samples, seconds, gb_seconds, gb_seconds * price + invocation + requests)


def _gb_seconds(seconds: float, function_mb: int, side_by_side: int, terms: Terms) -> float:
    """As on a function of the terms, where it ran on none."""
    return seconds * (function_mb or terms.limits.memory_mb) / 1024 / side_by_side
