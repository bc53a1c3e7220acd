"""Options that `datafactory submit` and ``python -m flows`` share."""

import click


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
