"""`datafactory generators`: which generators there are, where they come from, and what runs them."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vbvrdatafactory.cli.context import App, pass_app
from vbvrdatafactory.numbers import FiniteRange

if TYPE_CHECKING:
    from vbvrdatafactory.fleet.sources import Source
    from vbvrdatafactory.fleet.sync import SyncReport


@click.group()
def generators() -> None:
    """Fetch generators, make their environments, see their state."""


@generators.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def list_(app: App, *, as_json: bool) -> None:
    """List the generators under GENERATORS_PATH and those in its lock, with their state.

    A generator is a folder that holds examples/generate.py. The template for authors is one too, but no
    dataset is made of it. A folder whose name is not valid in a key is reported as unusable.

    \b
    States:
      ready                 it can run here
      not installed         'datafactory generators install' makes its environment
      not fetched           'datafactory generators sync' fetches it
      needs an environment  'datafactory generators lock' finds one
      needs: bpy            no environment here has that; overrides.toml may name an interpreter
      no contract           it has no examples/generate.py, or has it deeper down
      broken                see the note

    \b
    Examples:
      datafactory generators list
      datafactory generators list --json
      GENERATORS_PATH=/data/generators datafactory generators list
    """  # noqa: D301 - click's own mark for text that is not to be wrapped
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.core.humanize import format_count
    from vbvrdatafactory.fleet.listing import list_fleet

    path = app.config.generators_path
    rows = list_fleet(path)
    if as_json:
        click.echo(json.dumps([row._asdict() for row in rows], indent=2))
        return
    if rows:
        columns = ("name", "family", "commit", "environment", "state")
        output.show(
            output.table(columns, [(r.name, r.family, r.commit[:12], r.environment, r.state) for r in rows])
        )
    for row in rows:
        if row.why:
            output.note(f"{row.name}: {row.why}")
    ready = sum(row.is_usable for row in rows)
    others = sum(not row.is_usable and not row.is_template for row in rows)
    also = f", and {others:,} that can't run" if others else ""
    output.say(f"{format_count(ready, 'generator')} under {path}{also}.")


@generators.command()
@click.option("--org", "organisations", multiple=True, metavar="NAME", help="A GitHub organisation or user.")
@click.option(
    "--list",
    "list_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file with a Git URL or a local path in each line.",
)
@click.option("--match", metavar="REGEX", help="Only repositories whose name it finds.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this one; may be given several times.")
@click.option("--update", is_flag=True, help="Move to the newest commits, and show what changed.")
@click.option(
    "--max-mb", type=click.IntRange(1), default=2048, show_default=True, help="Most that one may have."
)
@click.option("--lock/--no-lock", default=True, help="Make their environments afterwards [default: yes].")
@pass_app
def sync(  # noqa: PLR0913 - click gives each option as an argument
    app: App,
    organisations: tuple[str, ...],
    list_file: Path | None,
    match: str | None,
    only: tuple[str, ...],
    max_mb: int,
    *,
    update: bool,
    lock: bool,
) -> None:
    """Fetch generators to exactly the commits of generators.lock.toml; new ones to their newest.

    With --org or --list repositories are listed first, and where nothing was fetched yet, those of the two public
    organisations. GITHUB_TOKEN, if it is set, raises GitHub's limit and reaches private ones.
    A sync that was killed goes on where it was. Nothing of a repository is run.

    \b
    Examples:
      datafactory generators sync --match '^[OG]-?_?[0-9]'
      datafactory generators sync                      exactly the lock, on another machine
      datafactory generators sync --update             those of the lock, to their newest commits
      datafactory generators sync --list my-generators.txt
    """  # noqa: D301 - click's own mark for text that is not to be wrapped
    from vbvrdatafactory.cli import fleet, output
    from vbvrdatafactory.fleet.git import Git
    from vbvrdatafactory.fleet.sources import choose
    from vbvrdatafactory.fleet.sync import Sync

    folder = fleet.make_folder(app)
    sources = choose(_sources(folder, organisations, list_file), match, only)
    with output.progress("fetching", len(sources)) as advance:
        git = Git(token=os.environ.get("GITHUB_TOKEN", ""))
        report = Sync(folder, git, most_mb=max_mb, update=update).run(sources, advance)
    _say_synced(report)
    if lock and not fleet.all_locked(folder):
        fleet.lock(folder)
    elif lock:
        fleet.install(folder, (), prune=False)
    if report.left_out and not (report.fetched or report.updated or report.unchanged):
        raise click.exceptions.Exit(1)


def _sources(folder: Path, organisations: tuple[str, ...], list_file: Path | None) -> "list[Source]":
    """What is to be fetched: what was asked for, else what a killed sync was about, else the lock, else the defaults."""
    from vbvrdatafactory.cli import fleet, output
    from vbvrdatafactory.fleet.sources import DEFAULT_ORGANISATIONS, parse_list
    from vbvrdatafactory.fleet.sync import left_sources, locked_sources
    from vbvrdatafactory.lockfile import read_lock

    if list_file:
        found = [*parse_list(list_file.read_text(encoding="utf-8"), str(list_file))]
        return [*found, *(fleet.list_organisations(organisations) if organisations else ())]
    if organisations:
        return fleet.list_organisations(organisations)
    if left := left_sources(folder):
        output.note(f"going on with a sync of {len(left):,} repositories that did not end")
        return left
    before = read_lock(folder)
    known = locked_sources(before.generators) if before else []
    return known or fleet.list_organisations(DEFAULT_ORGANISATIONS)


def _say_synced(report: "SyncReport") -> None:
    from vbvrdatafactory.cli import output

    for name, (before, now) in sorted(report.updated.items()):
        output.say(f"{name}: {before[:12]} → {now[:12]}")
    for name, why in sorted(report.left_out.items()):
        output.note(f"{name} is left out: {why}")
    output.say(
        f"{len(report.fetched):,} fetched, {len(report.updated):,} updated, {report.unchanged:,} unchanged, "
        f"{len(report.left_out):,} left out."
    )


@generators.command()
@pass_app
def lock(app: App) -> None:
    """Find the fewest environments that honour what every generator asks for, and write them into the lock.

    What a generator imports and forgot to ask for is added if it is well known; 'datafactory generators why' says
    so. Environments are installed, and every import is tried in the sandbox. Versions in the lock stay where they
    can. Corrections go into overrides.toml beside the lock.
    """
    from vbvrdatafactory.cli import fleet

    fleet.lock(fleet.make_folder(app))


@generators.command()
@click.argument("names", nargs=-1)
@click.option("--prune", is_flag=True, help="Remove environments that are not in the lock.")
@pass_app
def install(app: App, names: tuple[str, ...], *, prune: bool) -> None:
    """Install the environments of generators, by default of all that are here, exactly as the lock has them.

    Each is made whole or not at all, from one cache by hard links; those that are there stay. A package whose hash
    is not the lock's is refused, by name.
    """
    from vbvrdatafactory.cli import fleet

    fleet.install(app.config.generators_path, names, prune=prune)


@generators.command()
@click.argument("name")
@pass_app
def why(app: App, name: str) -> None:
    """Say which environment a generator runs in, because of whom, and what was changed of what it asks for."""
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.core.errors import DataFactoryError
    from vbvrdatafactory.fleet.why import explain_environment
    from vbvrdatafactory.lockfile import read_lock

    folder = app.config.generators_path
    found = read_lock(folder)
    if found is None:
        raise DataFactoryError(f"{str(folder)!r} has no lock yet; run 'datafactory generators lock'")
    for line in explain_environment(found, name, folder):
        output.say(line)


@generators.command()
@click.argument("name")
@pass_app
def new(app: App, name: str) -> None:
    """Make a new generator NAME under GENERATORS_PATH from the template for authors."""
    from vbvrdatafactory.cli import fleet, output
    from vbvrdatafactory.fleet.new import new_generator

    place = new_generator(fleet.make_folder(app), name)
    output.say(f"{place} is made. Next: write src/, then 'datafactory generators check {name}'.")


@generators.command()
@click.argument("target", metavar="PATH|NAME")
@click.option(
    "--samples", type=click.IntRange(2, 100), default=3, show_default=True, help="Samples of one run."
)
@click.option(
    "--timeout", type=FiniteRange(1, 3600), default=120, show_default=True, help="Seconds of one run."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def check(app: App, target: str, samples: int, timeout: float, *, as_json: bool) -> None:
    """Run a generator a few times in the sandbox, in its environment, and say what is wrong with it.

    The exit code is 1 where it does not keep the contract; warnings alone are 0. A generator that is in no lock gets
    an environment of its own, kept in the user's cache.

    \b
    Examples:
      datafactory generators check .
      datafactory generators check O-9_shape_scaling_data_generator --json
    """  # noqa: D301 - click's own mark for text that is not to be wrapped
    from vbvrdatafactory.cli import fleet, output
    from vbvrdatafactory.cli.checking import report_lines

    report = fleet.check(app.config.generators_path, target, samples=samples, seconds=timeout)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        for line in report_lines(report):
            output.say(line)
    raise click.exceptions.Exit(0 if report.passes else 1)
