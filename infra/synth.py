"""``python -m infra.synth`` writes the committed templates: of the embedded AWS, and for one click."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from infra.node import use_packaged_node
from infra.paths import LOCAL_TEMPLATE


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=LOCAL_TEMPLATE.parent,
    help="Folder to write to [default: that of the committed ones].",
)
def main(output: Path) -> None:
    """Write the committed templates anew, from the stack's code."""
    use_packaged_node()
    from infra.synthesis import local_template, one_click  # noqa: PLC0415 - importing aws_cdk starts Node.js

    output.mkdir(parents=True, exist_ok=True)
    for name, make in (("local.json", local_template), ("one-click.json", one_click)):
        with TemporaryDirectory() as scratch:
            (output / name).write_text(make(Path(scratch)))
        click.echo(f"wrote {output / name}")


if __name__ == "__main__":
    main()
