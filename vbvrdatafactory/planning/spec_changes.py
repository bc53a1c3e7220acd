"""Compares two specs of one dataset: whether the new one extends the dataset or redefines it.

A spec extends the dataset where all that it promised stays promised: the same samples, at least as many of each
generator, at least the same required files, by the same code in the same environment. Batch size and format may change. Another seed makes other samples;
fewer samples, generators or required files promise less: those redefine it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from vbvrdatafactory.core.errors import SpecError
from vbvrdatafactory.core.generators_lock import Pin, Pins
from vbvrdatafactory.planning.plan import DatasetSpec, Override, Plan

_SHOWN = 5
Number = TypeVar("Number", int, int | str)


class SpecChange(NamedTuple):
    """One difference between two specs of one name.

    Args:
        text: the value before and now, for a person.
        redefines: whether it redefines the dataset.
    """

    text: str
    redefines: bool = False


class Redefined(SpecError):  # noqa: N818 - the spec was not wrong, the name was taken
    """The spec redefines a dataset that the bucket describes, and that was not confirmed."""


def compare(before: DatasetSpec, now: DatasetSpec) -> list[SpecChange]:
    """The differences between `before` and `now`, redefining ones first."""
    found = [
        *_seeds(before, now),
        *_generators(before, now),
        *_samples(before, now),
        *_batches(before, now),
        *_required(before, now),
        *_pins(before, now.pins, redefines=now.on_mismatch == "refuse" and now.code == "pinned"),
    ]
    if before.prefix != now.prefix:
        found.append(SpecChange(f"prefix: {before.prefix!r} → {now.prefix!r}", redefines=True))
    if before.distinct != now.distinct:
        found.append(
            SpecChange(f"distinct: {before.distinct} → {now.distinct}", redefines=now.distinct == "any")
        )
    if before.output_format != now.output_format:
        found.append(SpecChange(f"output_format: {before.output_format} → {now.output_format}"))
    return sorted(found, key=lambda change: not change.redefines)


def describe(changes: Iterable[SpecChange]) -> str:
    """The differences in one line."""
    return "; ".join(change.text for change in changes)


def refusal(dataset: str, changes: Iterable[SpecChange]) -> Redefined:
    """The error for changes that redefine the dataset without confirmation."""
    redefining = describe(change for change in changes if change.redefines)
    return Redefined(
        f"dataset {dataset!r} is described otherwise in the bucket ({redefining}); "
        "ask for it as it was, give this one another name, or redefine it with --replace-spec "
        "(replace_spec in a flow, REPLACE_SPEC=1 for make); the spec of before is kept"
    )


def rival(spec: DatasetSpec, others: Iterable[DatasetSpec]) -> DatasetSpec | None:
    """The first of the other datasets that has other samples of the same generators in the same place."""
    return next(
        (
            other
            for other in others
            if other.dataset != spec.dataset
            and other.prefix == spec.prefix
            and not set(other.generators).isdisjoint(spec.generators)
            and [*_seeds(other, spec)]
        ),
        None,
    )


def check_pins(filed: DatasetSpec, pins: Pins) -> None:
    """Check that a filed dataset is made on with the generators that it was planned with.

    Args:
        filed: its spec.
        pins: code and environment of its generators, as the generators' lock has them now.

    Raises:
        Redefined: they are others, and its spec says to refuse that.
    """
    changes = [*_pins(filed, pins, redefines=True)]
    if changes and filed.on_mismatch != "keep" and filed.code == "pinned":
        raise Redefined(
            f"dataset {filed.dataset!r} was planned with other generators than there are now ({describe(changes)}); "
            "restore the lock that it was planned with, or ask for it anew with --on-mismatch keep or replace (on_mismatch in "
            "a flow): what is there stays, or is replaced, and the rest is made with the generators of now"
        )


def _seeds(before: DatasetSpec, now: DatasetSpec) -> Iterator[SpecChange]:
    if before.seed != now.seed:
        yield SpecChange(f"seed: {before.seed} → {now.seed}", redefines=True)
    if before.seeds != now.seeds:
        yield SpecChange(f"seeds: {before.seeds} → {now.seeds}", redefines=True)


def _generators(before: DatasetSpec, now: DatasetSpec) -> Iterator[SpecChange]:
    left_out = [name for name in before.generators if name not in now.generators]
    added = [name for name in now.generators if name not in before.generators]
    if left_out:
        yield SpecChange(f"generators left out: {_some(left_out)}", redefines=True)
    if added:
        yield SpecChange(f"generators added: {_some(added)}")


def _samples(before: DatasetSpec, now: DatasetSpec) -> Iterator[SpecChange]:
    counts = [Plan(spec).generators for spec in (before, now)]
    for was, is_now, names in _changed(before, now, lambda spec, name: counts[spec is now][name].samples):
        yield SpecChange(f"samples: {was:,} → {is_now:,}{names}", redefines=is_now < was)


def _batches(before: DatasetSpec, now: DatasetSpec) -> Iterator[SpecChange]:
    """Legacy seeds count batches: batches of another size have other seeds."""
    for was, is_now, names in _changed(before, now, _batch_size):
        yield SpecChange(
            f"batch_size: {_grouped(was)} → {_grouped(is_now)}{names}",
            redefines=before.seeds == now.seeds == "legacy",
        )


def _batch_size(spec: DatasetSpec, name: str) -> int | str:
    """The requested one: a plan's is at most the number of samples, which may grow."""
    return spec.overrides.get(name, Override()).batch_size or spec.batch_size


def _grouped(size: int | str) -> str:
    return size if isinstance(size, str) else f"{size:,}"


def _changed(
    before: DatasetSpec, now: DatasetSpec, number: Callable[[DatasetSpec, str], Number]
) -> Iterator[tuple[Number, Number, str]]:
    """(before, now, generators) of a number that each generator of both specs has, where it differs."""
    both = [name for name in before.generators if name in now.generators]
    found = defaultdict(list)
    for name in both:
        found[number(before, name), number(now, name)].append(name)
    for (was, is_now), names in found.items():
        if was != is_now:
            yield was, is_now, "" if names == both else f" of {_some(names)}"


def _required(before: DatasetSpec, now: DatasetSpec) -> Iterator[SpecChange]:
    dropped, added = set(before.require) - set(now.require), set(now.require) - set(before.require)
    if dropped:
        yield SpecChange(f"no more required: {_some(sorted(dropped))}", redefines=True)
    if added:
        yield SpecChange(f"required besides: {_some(sorted(added))}")


def _pins(before: DatasetSpec, now: Pins, *, redefines: bool) -> Iterator[SpecChange]:
    """Generators with another code or another environment than before; one that was pinned nowhere is not told."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, was in before.pins.generators.items():
        is_now = now.generators.get(name)
        if is_now and (is_now.code, is_now.environment) != (was.code, was.environment):
            changed = [f"code {_code(was)} → {_code(is_now)}"] if was.code != is_now.code else []
            if was.environment != is_now.environment:
                changed.append(f"environment {was.environment} → {is_now.environment}")
            found[", ".join(changed)].append(name)
    for text, names in found.items():
        yield SpecChange(f"{text} of {_some(names)}", redefines=redefines)


def _code(pin: Pin) -> str:
    """The commit where there is one, else the digest of the code; shortened."""
    return (pin.commit or pin.code)[:12]


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
