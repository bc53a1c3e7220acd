"""``datafactory ui``: the Prefect UI on this machine, with all that a run started there needs."""

from __future__ import annotations

import shlex
import time

import click

from infra.ui import FIRST_PORT, PrefectHere


@click.group()
def ui() -> None:
    """The Prefect UI on this machine, and what runs behind it."""


@ui.command()
@click.option(
    "--port", default=FIRST_PORT, show_default=True, help="Of the Prefect server; the next free one if taken."
)
def up(port: int) -> None:
    """Start the embedded AWS, a Prefect server, a Prefect worker and all deployments."""
    started = time.monotonic()
    running = PrefectHere(port=port).up(click.echo)
    took = f"{time.monotonic() - started:.0f} s"
    click.echo(f"it ran already; brought up to date in {took}" if running.ran_before else f"up in {took}")
    click.echo(f"\nOpen    {running.link}")
    click.echo(f"        (good once, for an hour; afterwards {running.page})")
    click.echo("Or, in another terminal in this folder:")
    click.echo('        source .venv/bin/activate; eval "$(datafactory ui env)"')
    click.echo("        prefect deployment run 'generate-dataset/local' --watch")
    click.echo("Stop    make down")


@ui.command()
def env() -> None:
    """Print what leads this shell's Prefect commands here: eval "$(datafactory ui env)"."""
    for name, value in PrefectHere().variables().items():
        click.echo(f"export {name}={shlex.quote(value)}")


@ui.command()
def down() -> None:
    """Stop all of it; samples, queues and the history of runs are kept."""
    stopped = PrefectHere().down(click.echo)
    click.echo("stopped; samples and history are kept" if stopped else "it was not running")
