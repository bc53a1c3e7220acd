"""`datafactory generators`: which generators there are to choose from."""

import click

from vbvrdatafactory.cli.context import App, pass_app


@click.group()
def generators() -> None:
    """See which generators there are."""


@generators.command("list")
@pass_app
def list_(app: App) -> None:
    """List the generators under GENERATORS_PATH.

    A generator is a folder that holds examples/generate.py. The template for authors is one too, but no
    dataset is made of it. A folder whose name is not valid in a key is reported as unusable.

    \b
    Examples:
      datafactory generators list
      GENERATORS_PATH=/data/generators datafactory generators list
    """  # noqa: D301 - click's own mark for text that is not to be wrapped
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.core.contract import ENTRY_POINT
    from vbvrdatafactory.core.humanize import format_count
    from vbvrdatafactory.fleet.catalogue import TEMPLATE, read_catalogue

    path = app.config.generators_path
    names, unusable = read_catalogue(path)
    kinds = dict.fromkeys(names, "generator")
    if (path / TEMPLATE / ENTRY_POINT).is_file():
        kinds[TEMPLATE] = "template for authors"
    kinds |= dict.fromkeys(unusable, "unusable")
    if kinds:
        rows = [(name, kind, str(path / name)) for name, kind in kinds.items()]
        output.show(output.table(("name", "kind", "path"), rows))
    for name, why in unusable.items():
        output.note(f"{name!r} is no generator: {why}")
    also = f", and {len(unusable):,} that can't be used" if unusable else ""
    output.say(f"{format_count(len(names), 'generator')} under {path}{also}.")
