"""``datafactory local``: the embedded AWS on the command line."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from infra import paths
from infra.child import child_environment, run
from infra.environment import with_own_prefect
from infra.local import EmbeddedAws
from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from infra.addresses import EmbeddedInfo

_generators = click.option(
    "--generators",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder that holds the generators [default: the one it has, or that of the checkout].",
)
_concurrency = click.option(
    "--concurrency",
    type=click.IntRange(min=2),
    help="Batches worked on at a time [default: one for each processor].",
)
_state_dir = click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=paths.STATE,
    help="Folder that keeps its state [default: .datafactory of the checkout].",
)


@click.group()
def local() -> None:
    """The embedded AWS: the whole stack on this machine."""


@local.command()
@_generators
@_concurrency
@_state_dir
def up(generators: Path | None, concurrency: int | None, state_dir: Path) -> None:
    """Start it, or bring what runs up to date."""
    info = EmbeddedAws(state_dir, generators, concurrency=concurrency).up()
    _show(info)
    click.echo('Next:        eval "$(datafactory local env)"')


@local.command()
@_state_dir
def down(state_dir: Path) -> None:
    """Stop it; its queues and its bucket are kept."""
    stopped = EmbeddedAws(state_dir).down()
    click.echo("stopped" if stopped else "it was not running")


@local.command()
@_state_dir
def status(state_dir: Path) -> None:
    """Say whether it runs, and where."""
    seen = EmbeddedAws(state_dir).status()
    if seen.info:
        _show(seen.info)
    elif seen.running:
        click.echo(f"process {seen.pid} runs, but has no whole stack; 'datafactory local up' repairs it")
    else:
        click.echo("not running; 'datafactory local up' starts it")
    sys.exit(0 if seen.info else 1)


@local.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@_state_dir
def reset(state_dir: Path, *, yes: bool) -> None:
    """Stop it and delete its queues, its bucket and every object in it."""
    if not yes:
        click.confirm(f"Delete the embedded AWS in {state_dir}, every sample included?", abort=True)
    EmbeddedAws(state_dir).reset()
    click.echo("deleted")


@local.command()
@_state_dir
def env(state_dir: Path) -> None:
    """Print what a shell evaluates to use it: eval "$(datafactory local env)"."""
    info = EmbeddedAws(state_dir).status().info
    if info is None:
        raise DataFactoryError("not running; 'datafactory local up' starts it")
    click.echo("unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN")
    proxies = {name: os.environ[name] for name in ("NO_PROXY", "no_proxy") if name in os.environ}
    for name, value in child_environment(proxies, info).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@local.command(name="exec", context_settings={"ignore_unknown_options": True})
@_generators
@_concurrency
@_state_dir
@click.option(
    "--own-prefect",
    is_flag=True,
    help="With a Prefect of its own, whatever PREFECT_ variables of this shell say of another.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(
    generators: Path | None,
    concurrency: int | None,
    state_dir: Path,
    command: tuple[str, ...],
    *,
    own_prefect: bool,
) -> NoReturn:
    """Run a command against it: datafactory local exec -- COMMAND...

    It is started if it does not run, and then stopped again when the command ends.
    """
    home = state_dir.resolve() / "prefect"
    outer = with_own_prefect(os.environ, home) if own_prefect else os.environ
    sys.exit(run(EmbeddedAws(state_dir, generators, concurrency=concurrency), command, outer))


def _show(info: EmbeddedInfo) -> None:
    click.echo(f"Embedded AWS {info.endpoint} (process {info.pid})")
    click.echo(f"Bucket:      {info.bucket}, in {info.bucket_folder}")
    click.echo(f"Queue:       {info.queue_url}")
    click.echo(f"Generators:  {info.generators_path}")
    click.echo(f"Environment: {info.env_file}")
