"""`datafactory download`: downloads the dataset to a folder."""

from pathlib import Path

import click

from vbvrdatafactory.cli.context import App, pass_app

_EPILOG = """
\b
Examples:
  datafactory download ./results
  datafactory download ./results -g 'O-*'
  datafactory download ./results --extract
"""


@click.command(epilog=_EPILOG)
@click.argument("dest", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "-g",
    "--generator",
    "patterns",
    multiple=True,
    metavar="NAME",
    help="Only this generator: a name or a glob such as 'O-*'. Repeatable.",
)
@click.option("--extract", is_flag=True, help="Unpack archives too, and keep them.")
@click.option("--dataset", metavar="NAME", help="What lies below the prefix of this dataset.")
@click.option("--bucket", metavar="NAME", help="Download from this bucket instead of OUTPUT_BUCKET.")
@pass_app
def download(  # noqa: PLR0913 - click gives each option as an argument
    app: App, dest: Path, patterns: tuple[str, ...], dataset: str | None, bucket: str | None, *, extract: bool
) -> None:
    """Download the dataset to the folder DEST.

    DEST gets the objects under questions/ in the bucket, and nothing else. A file that exists with the object's size
    and time, or bytes, is skipped, so an interrupted download can be continued. An object that is not received whole,
    or can't be a file in DEST, is reported, and the exit code is 1.
    """
    from vbvrdatafactory.cli.fetching import fetch

    app.bucket = bucket
    fetch(app, dest, patterns, dataset, extract=extract)
