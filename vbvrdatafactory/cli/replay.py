"""`datafactory replay`: makes one sample again, as it was made."""

from pathlib import Path

import click

from vbvrdatafactory.cli.context import App
from vbvrdatafactory.numbers import FiniteRange

_EPILOG = """
Exit code: 0 if its content is the same, 1 if not.

\b
Examples:
  datafactory replay O-9_shape_scaling_data_generator 17
  datafactory replay O-9_shape_scaling_data_generator 17 --out ./again
"""


@click.command(epilog=_EPILOG)
@click.argument("generator")
@click.argument("index", type=click.IntRange(0))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the files that are made, in a folder there.",
)
@click.option(
    "--timeout", type=FiniteRange(1, 86_400), default=900, show_default=True, help="Seconds the run may take."
)
@click.option("--dataset", metavar="NAME", help="The sample of this dataset, where that has a prefix.")
@click.option("--bucket", metavar="NAME", help="Look at this bucket instead of OUTPUT_BUCKET.")
@click.pass_context
def replay(  # noqa: PLR0913 - click gives each option as an argument
    ctx: click.Context,
    generator: str,
    index: int,
    out: Path | None,
    timeout: float,
    dataset: str | None,
    bucket: str | None,
) -> None:
    """Make sample INDEX of GENERATOR again, as its receipt says that it was made, and compare.

    Runs the generator under GENERATORS_PATH in the sandbox with the seed and the count of the run that made the
    sample. The bucket is read only.
    """
    from lambda_worker.check.replay import Replay
    from lambda_worker.processor import prepare_host
    from vbvrdatafactory.cli import output
    from vbvrdatafactory.core.content import content_digest
    from vbvrdatafactory.core.keys import sample_name
    from vbvrdatafactory.core.names import is_safe_name
    from vbvrdatafactory.driver.replay import differences, find_sample
    from vbvrdatafactory.s3.specs import read_spec

    if not is_safe_name(generator):
        raise click.BadParameter(f"{generator!r} is no name of a generator", param_hint="GENERATOR")
    app = ctx.ensure_object(App)
    app.bucket = bucket
    prefix = read_spec(app.store(), dataset).prefix if dataset else ""
    recorded = find_sample(app.services, generator, index, prefix)
    message = recorded.message
    output.say(
        f"Sample {index} is number {index - message.start_index} of a run of {message.num_samples} from "
        f"{message.start_index} with seed {message.seed} (salt {message.salt}); {recorded.receipt} says so."
    )
    folder = out and out / sample_name(recorded.task or "sample", index)
    prepare_host()
    again = Replay(app.config.generators_path, timeout)
    made = again.run(message, index, python_hash_seed=recorded.python_hash_seed, out=folder)
    found = [*differences(recorded, made.files, made.code, made.environment)]
    for line in found:
        output.say(line)
    if folder:
        output.say(f"Its files are in {folder}.")
    is_same = recorded.digest == content_digest(made.files)
    output.say(f"{'The same' if is_same else 'Not the same'}, made again in {made.seconds:.1f} s.")
    ctx.exit(0 if is_same else 1)
