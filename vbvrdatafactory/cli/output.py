"""The output of commands: tables and progress, for a terminal and for a pipe.

In a pipe there is no colour, no animation and no truncation: a table is as wide as its content. Progress goes to
stderr, and only to a terminal.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from vbvrdatafactory.core.escaping import for_terminal

_WIDE_ENOUGH = 4096

Advance = Callable[[int], None]


def console(stream: TextIO | None = None) -> Console:
    """A console for `stream` (default: stdout); text is text, never markup."""
    made = Console(file=stream or sys.stdout, markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = _WIDE_ENOUGH
    return made


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], footer: Sequence[str] = ()) -> Table:
    """A table with text aligned left and numbers aligned right."""
    rows = list(rows)
    made = Table(show_footer=bool(footer))
    for at, name in enumerate(columns):
        numeric = bool(rows) and all(row[at][:1].isdigit() for row in rows)
        made.add_column(name, footer=footer[at] if footer else "", justify="right" if numeric else "left")
    for row in rows:
        made.add_row(*map(for_terminal, row))
    return plain(made)


def plain(made: Table) -> Table:
    """The table without borders, long names wrapped instead of truncated."""
    made.box = SIMPLE_HEAD
    made.pad_edge = False
    for column in made.columns:
        column.overflow = "fold"
    return made


def show(made: Table) -> None:
    """Print a table to stdout."""
    console().print(made)


def say(line: str) -> None:
    """Print one line to stdout."""
    click.echo(for_terminal(line))


def say_raw(text: str) -> None:
    """Print text of ours to stdout as it is, line breaks included."""
    click.echo(text, nl=False)


def note(line: str) -> None:
    """Print a note to stderr."""
    click.echo(f"datafactory: note: {for_terminal(line)}", err=True)


@contextmanager
def listing(what: str) -> Iterator[Advance]:
    """A spinner on stderr while `what` is listed; call the function it yields with the number of keys so far."""
    err = console(sys.stderr)
    if not err.is_terminal:
        yield lambda _: None
        return
    with err.status(f"listing {what} …") as status:
        yield lambda keys: status.update(f"listing {what} … {keys:,} keys")


@contextmanager
def progress(what: str, total: int, *, in_bytes: bool = False) -> Iterator[Advance]:
    """A progress bar on stderr; call the function it yields with the increment."""
    err = console(sys.stderr)
    if not err.is_terminal:
        yield lambda _: None
        return
    amount = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
    columns = (TextColumn("{task.description}"), BarColumn(), *amount, TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)
