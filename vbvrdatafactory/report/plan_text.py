"""What a plan takes, as lines and cells that the command, the page and the run page share."""

from collections.abc import Iterator

from vbvrdatafactory.core.humanize import (
    format_bytes,
    format_count,
    format_duration,
    format_estimate,
    format_usd,
)
from vbvrdatafactory.planning.estimates import Estimate
from vbvrdatafactory.planning.pricing import Choice, GeneratorPrice, PlanPrice

COLUMNS = ("generator", "samples", "batch size", "batches", "a batch takes", "GB-seconds", "cost", "between")
CHOICE_COLUMNS = ("memory", "processor", "Lambda", "wall time", "")
_SHOWN = 10


def cells(one: GeneratorPrice) -> tuple[str, ...]:
    """A row of the table: what one generator takes."""
    return (
        one.generator,
        f"{one.samples:,}",
        f"{one.batch_size:,}",
        f"{one.batches:,}",
        format_duration(one.batch_seconds.likely)
        if one.batch_seconds.likely >= 1
        else f"{one.batch_seconds.likely:.2f} s",
        f"{one.gb_seconds.likely:,.0f}",
        format_usd(one.usd.likely),
        between(one.usd),
    )


def total_cells(price: PlanPrice) -> tuple[str, ...]:
    """The row of all generators together."""
    return (
        "total",
        f"{price.samples:,}",
        "",
        f"{price.batches:,}",
        "",
        f"{price.gb_seconds.likely:,.0f}",
        format_usd(price.usd.likely),
        between(price.usd),
    )


def choice_cells(choice: Choice) -> tuple[str, ...]:
    """A row of the table of memory sizes and architectures."""
    return (
        f"{choice.memory_mb:,} MB",
        choice.processor,
        "-" if choice.usd is None else format_usd(choice.usd),
        format_estimate(choice.wall_seconds),
        f"does not fit: {choice.problem}" if choice.problem else "",
    )


def headline(price: PlanPrice) -> str:
    """What it takes in one sentence."""
    if not price.generators:
        return (
            f"{price.dataset}: nothing can be priced yet"
            if price.unknown
            else f"{price.dataset}: nothing is to be made"
        )
    return (
        f"{price.dataset}: {format_count(price.samples, 'sample')} in {format_count(price.batches, 'batch', 'batches')} take about "
        f"{format_usd(price.usd.likely)} ({between(price.usd)}) and {format_estimate(price.wall_seconds.likely)} "
        f"({format_estimate(price.wall_seconds.low)} to {format_estimate(price.wall_seconds.high)})"
    )


def notes(price: PlanPrice) -> Iterator[str]:
    """What it is made of, and what is left out, a sentence each."""
    terms = price.terms
    if price.generators:
        yield (
            f"Lambda {format_usd(price.lambda_usd.likely)}, requests to S3 and SQS {format_usd(price.request_usd)} "
            f"(with a tar archive for each batch {format_usd(price.archive_request_usd)}). Besides: starting functions "
            f"{format_usd(price.starting_usd)}, and {format_usd(price.storage_usd_month)} a month to store "
            f"{format_bytes(price.stored_bytes)}."
        )
    yield f"By {terms.prices}, without free tiers and discounts. Workers: {terms.limits.describe()}."
    if cheapest := next((one for one in price.choices if one.usd is not None), None):
        is_it = (cheapest.memory_mb, cheapest.processor) == (terms.limits.memory_mb, terms.limits.processor)
        yield (
            "No other memory size or architecture is cheaper."
            if is_it
            else f"Cheapest is {cheapest.memory_mb:,} MB on {cheapest.processor}: {format_usd(cheapest.usd or 0)} of Lambda."
        )
    if price.unknown:
        yield (
            f"Not priced, as they have no certificate yet: {_some(price.unknown)}. A run certifies them first; "
            "'datafactory certify' does only that."
        )
    for name, why in list(price.failed.items())[:_SHOWN]:
        yield f"Not to be made: {name}: {why}."
    for problem in price.problems[:_SHOWN]:
        yield f"Does not fit: {problem}."
    remarks = [f"{one.generator}: {remark}." for one in price.generators for remark in one.remarks]
    yield from remarks[: 2 * _SHOWN]
    if len(remarks) > 2 * _SHOWN:
        yield f"{len(remarks) - 2 * _SHOWN:,} more remarks are in the certificates."


def between(estimate: Estimate) -> str:
    """The range of a cost."""
    return f"{format_usd(estimate.low)} to {format_usd(estimate.high)}"


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
