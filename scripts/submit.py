"""The predecessor's ``scripts/submit.py``: its options, carried out by ``datafactory submit``.

    python scripts/submit.py --generator all --samples 10000 --batch-size 100

docs/migration.md says what is different.
"""

import click

from vbvrdatafactory.cli.main import cli
from vbvrdatafactory.core.defaults import DEFAULT_SAMPLES, DEFAULT_SEED

# The predecessor's; 'datafactory submit' has another.
BATCH_SIZE = 100


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-g", "--generator", required=True, help="A generator's name, or 'all'; globs work too.")
@click.option(
    "-n", "--samples", default=DEFAULT_SAMPLES, show_default=True, help="Samples of each generator."
)
@click.option("-b", "--batch-size", default=BATCH_SIZE, show_default=True, help="Samples of one message.")
@click.option("-s", "--seed", default=DEFAULT_SEED, show_default=True, help="It was chosen at random before.")
@click.option("--output-format", type=click.Choice(["files", "tar"]), default="files", show_default=True)
@click.option("--bucket", help="This bucket instead of OUTPUT_BUCKET.")
@click.option("--dataset", default="dataset", show_default=True, help="What the bucket describes it as.")
@click.option("--dedup", is_flag=True, help="Not there any more; says why.")
@click.option("--legacy-seeds", is_flag=True, help="Seed + number of the batch, as before.")
@click.option("--replace-spec", is_flag=True, help="Redefine the dataset that the bucket describes.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent; send and write nothing.")
def main(*, dedup: bool, **asked: object) -> None:
    """Send what the bucket lacks of a dataset, with the options of the predecessor's script."""
    if dedup:
        raise click.UsageError(
            "--dedup needed a table and made samples that no seed makes again; leave it out: reports count "
            "distinct samples, so repeated ones show"
        )
    options: list[str] = []
    for name, value in asked.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            options += [option] if value else []
        elif value is not None:
            options += [option, str(value)]
    cli(["submit", *options])


if __name__ == "__main__":
    main()
