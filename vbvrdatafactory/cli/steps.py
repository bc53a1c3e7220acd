"""Says what is being done while it takes long: a line when it begins, and one every few seconds."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

EVERY_SECONDS = 5.0


@contextmanager
def step(what: str, every: float = EVERY_SECONDS) -> Iterator[None]:
    """Say on stderr that `what` goes on, every so many seconds until the block ends."""
    started, ended = time.monotonic(), threading.Event()

    def go_on() -> None:
        while not ended.wait(every):
            click.echo(f"{what}: {time.monotonic() - started:.0f} s so far", err=True)

    click.echo(f"{what} …", err=True)
    thread = threading.Thread(target=go_on, name="step", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
