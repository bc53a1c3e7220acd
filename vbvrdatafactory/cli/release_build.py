"""`datafactory release plan` and `build`: what a release of a dataset will be, and the release itself."""

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vbvrdatafactory.cli.context import App
from vbvrdatafactory.cli.release_options import of_release
from vbvrdatafactory.numbers import FiniteRange

if TYPE_CHECKING:
    from vbvrdatafactory.driver.release_build import Asked
    from vbvrdatafactory.planning.plan import Plan

_LICENSE = "cc-by-4.0"


@click.command()
@click.argument("name")
@of_release
@click.option(
    "--mbit",
    type=FiniteRange(0.001, 1_000_000),
    default=1000.0,
    show_default=True,
    help="Megabits a second to and from this machine, for the time that it takes.",
)
@click.pass_context
def plan(ctx: click.Context, /, name: str, mbit: float, **given: Any) -> None:  # noqa: ANN401 - the options of both
    """Say what a release called NAME will hold: samples, splits, shards, bytes, files; and what the Hub would not take.

    Reads no sample: puzzles count as equal by their content alone, so that splits may differ a little from those of the build.
    Exit code: 1 where the Hub would not take it.
    """
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.driver.release import arrange_samples, choice_of
    from vbvrdatafactory.driver.release_shard import shard_path
    from vbvrdatafactory.release.choosing import Unfit
    from vbvrdatafactory.release.forecast import forecast
    from vbvrdatafactory.release.publishing import HUB

    app = ctx.ensure_object(App)
    app.bucket = given["bucket"]
    dataset = _plan_of(app, name, given["dataset"])
    left_out, without = map(Unfit, given["leave_out"]), _without(dataset, given["patterns"])
    with (
        output.listing(f"bucket {app.bucket_name}") as on_listed,
        choice_of(app.services, dataset, [*left_out], without, on_listed) as choice,
    ):
        arranged = arrange_samples(choice, _asked(name, _LICENSE, 1, given))
        shards = {key: shard_path(*key) for key in arranged.select("split", "shard").unique().iter_rows()}
        said = forecast(arranged, shards, choice.left_out)
    for line in said.lines(mbit):
        output.say(line)
    problems = [*said.problems(HUB)]
    for problem in problems:
        output.say(f"the Hub would not take it: {problem}")
    ctx.exit(1 if problems else 0)


@click.command()
@click.argument("name")
@click.option("--out", metavar="PLACE", help="A folder, or s3://bucket/prefix [default: releases/NAME].")
@of_release
@click.option(
    "--decontaminate",
    "benchmarks",
    multiple=True,
    metavar="FOLDER|PARQUET",
    help="Leave out what equals a sample there, by its content or by its first frame. Repeatable.",
)
@click.option("--license", "licence", default=_LICENSE, show_default=True, help="An identifier of SPDX.")
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Processes that read and write [default: one a processor]."
)
@click.option(
    "--export",
    "exports",
    type=click.Choice(["jsonl", "parquet"]),
    multiple=True,
    help="Also write this layout.",
)
@click.pass_context
def build(  # noqa: PLR0913 - click gives each option as an argument
    ctx: click.Context,
    /,
    name: str,
    out: str | None,
    benchmarks: tuple[str, ...],
    licence: str,
    workers: int | None,
    exports: tuple[str, ...],
    **given: Any,  # noqa: ANN401 - the options of both
) -> None:
    """Build the release NAME of a dataset: shards, metadata and card.

    Every sample is read once, and compared with its digest. A build that was ended goes on with what is left when it is run
    again. The same dataset, options and seed give the same bytes.
    """
    from datetime import UTC, datetime

    from vbvrdatafactory.cli import output
    from vbvrdatafactory.cli.release_progress import shown
    from vbvrdatafactory.core.humanize import format_bytes, format_count
    from vbvrdatafactory.driver.release import build_release
    from vbvrdatafactory.driver.release_benchmark import read_benchmark
    from vbvrdatafactory.driver.release_export import export
    from vbvrdatafactory.driver.release_place import parse_place
    from vbvrdatafactory.release.choosing import Unfit

    app = ctx.ensure_object(App)
    app.bucket = given["bucket"]
    dataset = _plan_of(app, name, given["dataset"])
    asked = _asked(name, licence, workers or os.cpu_count() or 1, given)
    place = parse_place(out or str(Path("releases") / name), app.config)
    with shown() as steps:
        done = build_release(
            app.services,
            dataset,
            asked,
            place,
            datetime.now(UTC),
            leave_out=[Unfit(one) for one in given["leave_out"]],
            without=_without(dataset, given["patterns"]),
            benchmarks=[read_benchmark(Path(one)) for one in benchmarks],
            steps=steps,
        )
        export(place, done.release, exports)
    for removed in done.release.decontaminated:
        output.say(f"left out: {removed.key} has the {removed.by} of {removed.against}")
    release = done.release
    held = format_count(sum(release.splits.values()), "sample")
    size = format_bytes(sum(shard.bytes for shard in release.shards))
    output.say(
        f"{place}: {held} in {format_count(len(release.shards), 'shard')}, {size}; "
        f"{format_count(done.built, 'shard')} built now"
    )


def _plan_of(app: App, name: str, dataset: str | None) -> "Plan":
    """The dataset's plan: of the one that is named, or of the one that is called as the release, or of the only one."""
    from vbvrdatafactory.cli.completeness import plan_of
    from vbvrdatafactory.s3.specs import list_datasets

    if dataset is None and name in list_datasets(app.store()):
        dataset = name
    return plan_of(app, dataset)


def _asked(name: str, licence: str, workers: int, given: dict[str, Any]) -> "Asked":
    from vbvrdatafactory.core.names import safe_name
    from vbvrdatafactory.driver.release_build import Asked
    from vbvrdatafactory.release.splits import parse_splits

    shares = parse_splits(given["splits"])
    return Asked(safe_name(name), given["seed"], licence, shares, given["shard_mb"] * 1_000_000, workers)


def _without(dataset: "Plan", patterns: Sequence[str]) -> list[str]:
    """The generators that patterns name.

    Raises:
        ReleaseError: one names none.
    """
    from vbvrdatafactory.core.errors import ReleaseError

    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in dataset.generators):
            raise ReleaseError(
                f"--without {pattern!r} names no generator of dataset {dataset.spec.dataset!r}"
            )
    return [name for name in dataset.generators if any(fnmatchcase(name, pattern) for pattern in patterns)]
