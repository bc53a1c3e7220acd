"""What a run took, beside what was estimated before it spent."""

from collections.abc import Mapping
from typing import NamedTuple

from vbvrdatafactory.core.humanize import format_duration, format_estimate, format_usd
from vbvrdatafactory.planning.estimates import Estimate
from vbvrdatafactory.planning.spent import Spent, Took
from vbvrdatafactory.report.tallies import Frozen


class Range(Frozen):
    """An estimate: hardly less than `low`, hardly more than `high`."""

    low: float
    likely: float
    high: float

    @classmethod
    def of(cls, estimate: Estimate) -> "Range":
        """That of an estimate."""
        return cls(low=estimate.low, likely=estimate.likely, high=estimate.high)

    def holds(self, value: float) -> bool:
        """Whether a value lies within it."""
        return self.low <= value <= self.high


class GeneratorCosts(Frozen):
    """What one generator took.

    Args:
        generator: its name.
        batches: that were made, and not only to certify it.
        samples: these were asked for.
        gb_seconds: of Lambda, that they took, with the attempts at them that failed.
        usd: what all these cost.
        forecast_gb_seconds: what was estimated for them; None where nothing was.
        forecast_usd: the same in dollars.
        forecast_samples: of how many samples that was.
    """

    generator: str
    batches: int
    samples: int
    gb_seconds: float
    usd: float
    forecast_gb_seconds: Range | None = None
    forecast_usd: Range | None = None
    forecast_samples: int = 0


class RunCosts(Frozen):
    """What a run took by list prices, beside what was estimated.

    Args:
        prices: which prices, with their date.
        usd: what all its batches cost, those that only certified and those that failed included.
        gb_seconds: of Lambda, that they took.
        forecast_usd: what was estimated beforehand, with what had been spent by then; None where nothing was.
        seconds: how long the run took.
        forecast_seconds: what was estimated for that.
        generators: each with its own figures.
    """

    prices: str
    usd: float
    gb_seconds: float
    forecast_usd: Range | None = None
    seconds: float = 0.0
    forecast_seconds: Range | None = None
    generators: tuple[GeneratorCosts, ...] = ()

    @property
    def line(self) -> str:
        """In one sentence."""
        said = f"It took {self.gb_seconds:,.0f} GB-seconds of Lambda, {format_usd(self.usd)} with requests ({self.prices})"
        if self.forecast_usd is None:
            return f"{said}."
        usd = f"{format_usd(self.forecast_usd.likely)} ({_between(self.forecast_usd)})"
        if self.forecast_seconds is None:
            return f"{said}; {usd} were estimated."
        soonest, latest = (
            format_estimate(s) for s in (self.forecast_seconds.low, self.forecast_seconds.high)
        )
        return (
            f"{said}, and {format_duration(self.seconds)}; {usd} and {format_estimate(self.forecast_seconds.likely)} "
            f"({soonest} to {latest}) were estimated."
        )


class Forecast(NamedTuple):
    """What was estimated for the batches of one generator.

    Args:
        samples: how many they make.
        gb_seconds: of Lambda.
        usd: with requests.
    """

    samples: int
    gb_seconds: Estimate
    usd: Estimate


def generator_costs(forecasts: Mapping[str, Forecast], spent: Spent) -> tuple[GeneratorCosts, ...]:
    """What each generator took, beside what was estimated for it; the dearest first."""
    rows = []
    for generator in forecasts.keys() | spent.by_generator.keys():
        took, forecast = spent.by_generator.get(generator, Took()), forecasts.get(generator)
        rows.append(
            GeneratorCosts(
                generator=generator,
                batches=took.batches,
                samples=took.samples,
                gb_seconds=took.gb_seconds,
                usd=took.usd,
                forecast_gb_seconds=Range.of(forecast.gb_seconds) if forecast else None,
                forecast_usd=Range.of(forecast.usd) if forecast else None,
                forecast_samples=forecast.samples if forecast else 0,
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.usd, row.generator)))


def _between(range_: Range) -> str:
    return f"{format_usd(range_.low)} to {format_usd(range_.high)}"
