"""Asking before a dataset is redefined: `datafactory submit` and ``python -m flows`` ask the same."""

import sys
from collections.abc import Sequence

import click

from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.planning.spec_changes import SpecChange, refusal


def agree(dataset: str, changes: Sequence[SpecChange], *, replace: bool) -> bool:
    """Whether the spec that the bucket has of the dataset may be replaced by another dataset's.

    Args:
        dataset: its name.
        changes: how what is asked for differs from that spec.
        replace: whether ``--replace-spec`` was given; else who sits at the terminal is asked.

    Raises:
        Redefined: nobody sits there, or the answer was no.
    """
    if replace or not any(change.redefines for change in changes):
        return replace
    if not somebody_is_there():
        raise refusal(dataset, changes)
    click.echo(f"Dataset {dataset!r} is described otherwise in the bucket:", err=True)
    for change in changes:
        click.echo(f"  {for_terminal(change.text)}", err=True)
    if not click.confirm("Redefine it? The spec of before is kept", err=True):
        raise refusal(dataset, changes)
    return True


def somebody_is_there() -> bool:
    """Whether a question would be seen and could be answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()
