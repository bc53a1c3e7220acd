"""Options that commands which describe a dataset share, ``python -m flows`` among them."""

from collections.abc import Callable
from typing import Any, cast

import click

from vbvrdatafactory.core.contract import KNOWN_FILES
from vbvrdatafactory.core.defaults import DEFAULT_BATCH_SIZE, DEFAULT_SAMPLES, DEFAULT_SEED
from vbvrdatafactory.numbers import FiniteRange

Command = Callable[..., Any]


class BatchSizeOption(click.ParamType[int | str]):
    """A number from 1 to 1000, or ``auto``."""

    name = "batch size"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's
        return "NUMBER|auto"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number, or ``auto``; any other text is refused."""
        if value == "auto":
            return "auto"
        # What it takes is text; click's types say otherwise.
        return click.IntRange(1, 1000).convert(cast("int", value), param, ctx)


def _seeds(ctx: click.Context, param: click.Parameter, value: bool) -> str:  # noqa: ARG001, FBT001 - click's
    return "legacy" if value else "hashed"


legacy_seeds = click.option(
    "--legacy-seeds",
    "seeds",
    is_flag=True,
    callback=_seeds,
    help="Seeds of batches are seed + number, as the predecessor computed them; to reproduce its samples.",
)

replace_spec = click.option(
    "--replace-spec",
    is_flag=True,
    help="Redefine the dataset where the bucket describes another one under its name; the other spec is kept.",
)

on_mismatch = click.option(
    "--on-mismatch",
    type=click.Choice(["refuse", "keep", "replace"]),
    default="refuse",
    show_default=True,
    help="When samples are there that are not what is asked for, or the generators' lock has other code or environments "
    "than the dataset was planned with: refuse, keep them and make the rest, or replace them.",
)

distinct = click.option(
    "--distinct",
    type=click.Choice(["any", "required"]),
    default="any",
    show_default=True,
    help="Whether samples with the content of another one are made again under other seeds, a few times.",
)

prefix = click.option(
    "--prefix",
    default="",
    metavar="FOLDERS",
    help="Folders of the bucket that samples and their records lie below, such as train-v2 [default: none].",
)

code = click.option(
    "--code",
    type=click.Choice(["pinned", "current", "any"]),
    default="pinned",
    show_default=True,
    help="Which code and environments make a sample right: those that the dataset was planned with, those of the "
    "generators' lock now, or any.",
)


_DATASET = (
    click.option(
        "-g",
        "--generator",
        "patterns",
        multiple=True,
        metavar="NAME",
        help="A generator's name, a glob such as 'O-*', or 'all'. Repeatable.",
    ),
    click.option(
        "-n",
        "--samples",
        type=click.IntRange(0, 10_000_000),
        default=DEFAULT_SAMPLES,
        show_default=True,
        help="Samples of each generator.",
    ),
    click.option(
        "-b",
        "--batch-size",
        type=BatchSizeOption(),
        default=DEFAULT_BATCH_SIZE,
        show_default=True,
        help="Samples of one message; auto chooses for each generator, by its certificate.",
    ),
    click.option(
        "-s",
        "--seed",
        type=click.IntRange(min=0),
        default=DEFAULT_SEED,
        show_default=True,
        help="Base of every batch's seed.",
    ),
    legacy_seeds,
    click.option(
        "--output-format",
        type=click.Choice(["files", "tar"]),
        default="files",
        show_default=True,
        help="A folder for each sample, or an archive for each batch.",
    ),
    click.option(
        "--bucket", metavar="NAME", help="This bucket instead of OUTPUT_BUCKET, for the worker too."
    ),
    click.option(
        "--dataset", default="dataset", show_default=True, metavar="NAME", help="The dataset's name."
    ),
    click.option(
        "--require",
        type=click.Choice(KNOWN_FILES),
        multiple=True,
        metavar="FILE",
        help="A file every sample must have besides first_frame.png and prompt.txt. Repeatable.",
    ),
    on_mismatch,
    code,
    distinct,
    prefix,
)


def dataset_options(command: Command) -> Command:
    """Add the options that describe a dataset."""
    for option in reversed(_DATASET):
        command = option(command)
    return command


def sending_options(busy: str) -> Callable[[Command], Command]:
    """Add the options that describe a dataset, and how messages for it are sent; `busy` says when it takes none."""
    how = (
        replace_spec,
        click.option(
            "--if-busy",
            type=click.Choice(["refuse", "wait"]),
            default="refuse",
            show_default=True,
            help=f"When {busy}: refuse, or wait.",
        ),
        click.option(
            "--poll-seconds",
            type=FiniteRange(0.1, 3600),
            default=5.0,
            show_default=True,
            help="Between two polls of the queue.",
        ),
    )

    def add(command: Command) -> Command:
        for option in reversed(how):
            command = option(command)
        return dataset_options(command)

    return add
