"""Options that say what a release is made of."""

from collections.abc import Callable
from typing import Any

import click

_Command = Callable[..., Any]
_UNFIT = ("gaps", "foreign", "unproven", "adopted", "stale", "copies")

_OPTIONS = (
    click.option(
        "--dataset",
        metavar="NAME",
        help="The dataset it is of [default: the one called NAME, or the only one].",
    ),
    click.option(
        "--leave-out",
        type=click.Choice(_UNFIT),
        multiple=True,
        help="Leave out samples that are not fit for a release; without it they are refused. Repeatable.",
    ),
    click.option(
        "--without",
        "patterns",
        multiple=True,
        metavar="GENERATOR",
        help="Leave this generator out: a name or a glob such as 'O-*'. Repeatable.",
    ),
    click.option(
        "--split",
        "splits",
        multiple=True,
        metavar="NAME=FRACTION",
        help="A split with so many of the puzzles, such as test=0.05; all others are in 'train'. Repeatable.",
    ),
    click.option(
        "--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides splits and order."
    ),
    click.option(
        "--shard-mb",
        type=click.IntRange(1, 200_000),
        default=1000,
        show_default=True,
        help="Megabytes of a shard, about.",
    ),
    click.option("--bucket", metavar="NAME", help="The dataset's bucket instead of OUTPUT_BUCKET."),
)


def of_release(command: _Command) -> _Command:
    """The options of `plan` and `build`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
