"""`datafactory release withdraw` and `patch`: the next revision of a release that is out."""

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from vbvrdatafactory.cli.context import App

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from obstore.store import ObjectStore

    from vbvrdatafactory.driver.release_place import Place
    from vbvrdatafactory.driver.release_samples import Row
    from vbvrdatafactory.release.manifest import Release
    from vbvrdatafactory.release.revision import Changes

_WHY = click.option("--why", required=True, metavar="TEXT", help="The reason, for the changelog.")
_PLACE = click.argument("place", metavar="PLACE")


class _There(NamedTuple):
    """A release: where it is, its manifest, what it has, and its dataset's bucket."""

    place: "Place"
    release: "Release"
    short: "pl.DataFrame"
    source: "ObjectStore"


@click.command()
@_PLACE
@click.option(
    "-k",
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="This sample, as metadata.parquet calls it. Repeatable.",
)
@click.option(
    "-g",
    "--generator",
    "patterns",
    multiple=True,
    metavar="NAME",
    help="All of this generator: a name or a glob. Repeatable.",
)
@click.option(
    "--where",
    default="",
    metavar="SQL",
    help='Samples of which this is true in the ledger, such as "fps < 10".',
)
@_WHY
@click.pass_context
def withdraw(  # noqa: PLR0913 - click gives each option as an argument
    ctx: click.Context, place: str, keys: tuple[str, ...], patterns: tuple[str, ...], where: str, why: str
) -> None:
    """Take samples out of the release in PLACE, a folder or s3://bucket/prefix.

    Only the shards that hold them are rebuilt. Publish the release again afterwards: it sends these shards, the metadata and
    the card.
    """
    from vbvrdatafactory.driver.release_changes import withdrawn_keys
    from vbvrdatafactory.release.revision import Changes

    if not (keys or patterns or where):
        raise click.UsageError("say what is to be withdrawn: --key, --generator or --where")
    with _opened(ctx.ensure_object(App), place) as there:
        found = withdrawn_keys(there.short, there.source, keys, patterns, where)
        _change(there, Changes(found, frozenset(), why), {})


@click.command()
@_PLACE
@click.option(
    "--decontaminate",
    "benchmarks",
    multiple=True,
    metavar="FOLDER|PARQUET",
    help="Withdraw what equals a sample there now; needed where the release was built with it. Repeatable.",
)
@_WHY
@click.pass_context
def patch(ctx: click.Context, place: str, benchmarks: tuple[str, ...], why: str) -> None:
    """Replace the samples of the release in PLACE whose content in the dataset is another one now.

    They keep their keys, their places and their splits. One whose new puzzle another split has, or a benchmark, is withdrawn. Samples that the
    release never had are not added: build another release for that.
    """
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.driver.release_benchmark import read_benchmark
    from vbvrdatafactory.driver.release_changes import replacements
    from vbvrdatafactory.release.revision import Changes

    app = ctx.ensure_object(App)
    with _opened(app, place) as there, tempfile.TemporaryDirectory() as scratch:
        found = replacements(
            app.services,
            there.release,
            there.short,
            Path(scratch),
            [read_benchmark(Path(one)) for one in benchmarks],
        )
        if not (found.rows or found.leaking or found.removed):
            output.say(f"{there.place}: every sample is as the dataset has it; nothing was changed")
            return
        for key in sorted(found.leaking):
            output.say(f"withdrawn: {key}, as another split has its new puzzle")
        for one in found.removed:
            output.say(f"withdrawn: {one.key}, as it has the {one.by} of {one.against}")
        withdrawn = found.leaking | {one.key for one in found.removed}
        _change(there, Changes(withdrawn, frozenset(found.rows), why, found.removed), found.rows)


@contextmanager
def _opened(app: App, text: str) -> "Iterator[_There]":
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.driver.release_patch import finish_change, read_short
    from vbvrdatafactory.driver.release_place import parse_place
    from vbvrdatafactory.driver.release_reading import read_release

    place = parse_place(text, app.config)
    if ended := finish_change(place):
        output.note(f"revision {ended.revision}, which was begun before, is in place now")
    release = read_release(place.store())
    app.bucket = release.bucket
    _ = app.store()  # checks that it is there to be asked
    yield _There(place, release, read_short(place.store()), app.services.samples(release.prefix))


def _change(there: _There, changes: "Changes", ledger: "dict[str, Row]") -> None:
    from datetime import UTC, datetime

    from vbvrdatafactory.cli import output
    from vbvrdatafactory.core.humanize import format_count
    from vbvrdatafactory.driver.release_patch import change_release

    after = change_release(there.place, there.release, changes, there.source, ledger, datetime.now(UTC))
    before = {shard.path: shard for shard in there.release.shards}
    left = {shard.path for shard in after.shards}
    rebuilt = sum(shard != before[shard.path] for shard in after.shards) + len(before.keys() - left)
    output.say(
        f"{there.place}: revision {after.revision}, {format_count(len(changes.withdrawn), 'sample')} withdrawn, "
        f"{len(changes.replaced):,} replaced; {rebuilt:,} of {format_count(len(before), 'shard')} changed"
    )
