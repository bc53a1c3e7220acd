"""`datafactory generators`: which generators there are to choose from."""

import click

from vbvrdatafactory.cli.context import App, pass_app
from vbvrdatafactory.core.catalogue import ENTRY_POINT, list_generators


@click.group()
def generators() -> None:
    """See which generators there are."""


@generators.command("list")
@pass_app
def list_(app: App) -> None:
    """List the generators under GENERATORS_PATH.

    A generator is a folder that holds examples/generate.py. The template for authors is one too, but no
    dataset is made of it.

    \b
    Examples:
      datafactory generators list
      GENERATORS_PATH=/data/generators datafactory generators list
    """  # noqa: D301 - click's own mark for text that is not to be wrapped
    from vbvrdatafactory.cli import output

    path = app.config.generators_path
    names = list_generators(path)
    templates = sorted(
        {child.name for child in path.iterdir() if (child / ENTRY_POINT).is_file()} - set(names)
    )
    rows = [(name, "generator", str(path / name)) for name in names]
    rows += [(name, "template for authors", str(path / name)) for name in templates]
    if rows:
        output.show(output.table(("name", "kind", "path"), rows))
    click.echo(f"{output.plural(len(names), 'generator')} under {path}.")
