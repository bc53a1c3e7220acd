"""``python -m infra.synth`` writes the committed template of the embedded AWS."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from infra.node import use_packaged_node
from infra.paths import LOCAL_TEMPLATE


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=LOCAL_TEMPLATE,
    help="File to write [default: the committed one].",
)
def main(output: Path) -> None:
    """Write the template of the embedded AWS anew, from the stack's code."""
    use_packaged_node()
    from infra.synthesis import local_template  # noqa: PLC0415 - importing aws_cdk starts Node.js

    with TemporaryDirectory() as scratch:
        output.write_text(local_template(Path(scratch)))
    click.echo(f"wrote {output}")


if __name__ == "__main__":
    main()
