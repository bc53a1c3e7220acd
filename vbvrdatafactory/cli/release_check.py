"""`datafactory release check`: whether a release in a folder is one that others can train on."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vbvrdatafactory.cli.context import App

if TYPE_CHECKING:
    from vbvrdatafactory.driver.release_check import Checked
    from vbvrdatafactory.release.manifest import Release
    from vbvrdatafactory.release.traps import Finding

_EPILOG = """
Exit code: 0 if nothing is wrong, 1 if something is.

\b
Examples:
  datafactory release check ./my-release
  datafactory release check ./my-release --ledger
"""


@click.command(epilog=_EPILOG)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--ledger", is_flag=True, help="Compare the digests with the ledger in the dataset's bucket, too."
)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that read [default: one a processor].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(ctx: click.Context, folder: Path, workers: int | None, *, ledger: bool, as_json: bool) -> None:
    """Prove that the release in FOLDER is whole, and that its users' tools read it.

    Reads every byte, without a network: each shard is compared with its digests and with metadata.parquet, then read with
    webdataset and streamed through datasets; Croissant is validated. What is wrong is named, with its file and what to do.
    """
    checked = read(folder, ctx.ensure_object(App) if ledger else None, workers)
    if as_json:
        click.echo(json.dumps(_as_json(checked), indent=1))
    else:
        _show(checked)
    ctx.exit(0 if checked.is_good else 1)


def read(folder: Path, app: App | None = None, workers: int | None = None) -> "Checked":
    """Check the release in a folder, with a bar; with `app` also against the ledger in its dataset's bucket."""
    from obstore.store import LocalStore

    from vbvrdatafactory.cli import output
    from vbvrdatafactory.driver.release_check import check as check_folder
    from vbvrdatafactory.driver.release_reading import read_release

    release = read_release(LocalStore(folder.resolve()))
    further = _ledger(app, folder, release) if app else []
    total = sum(shard.bytes for shard in release.shards)
    with output.progress("reading", total, in_bytes=True) as on_read:
        return check_folder(folder, further=further, workers=workers, on_read=on_read)


def _ledger(app: App, folder: Path, release: "Release") -> "list[Finding]":
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.driver.release_ledger import ledger_problems

    app.bucket = release.bucket
    _ = app.store()  # checks its name
    with output.listing(release.bucket) as on_listed:
        return ledger_problems(app.services, folder, release, on_listed)


def _as_json(checked: "Checked") -> dict[str, object]:
    from vbvrdatafactory.release.traps import MOVES

    found = [
        {"trap": each.trap, "file": each.file, "what": each.what, "move": MOVES[each.trap]}
        for each in checked.found.kept
    ]
    return {
        "good": checked.is_good,
        "samples": checked.samples,
        "bytes": checked.bytes,
        "counts": dict(checked.found.counts),
        "found": found,
    }


def _show(checked: "Checked") -> None:
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.core.humanize import format_bytes, format_count

    for each in checked.found.kept:
        output.say(str(each))
    read = f"{format_count(checked.samples, 'sample')} in {format_count(len(checked.release.shards), 'shard')}, {format_bytes(checked.bytes)}"
    if checked.is_good:
        output.say(f"{checked.release.name}: {read}; nothing is wrong.")
    else:
        tally = ", ".join(f"{count:,} {trap}" for trap, count in sorted(checked.found.counts.items()))
        output.say(f"{checked.release.name}: {read}; wrong: {tally}.")
