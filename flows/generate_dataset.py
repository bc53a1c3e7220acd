"""``generate-dataset``: say which dataset you want; the bucket is made to hold exactly that."""

from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State

from flows.cancelling import say_what_is_left
from flows.ending import ending, told_in_one_line
from flows.form import (
    BatchSizes,
    Cost,
    Dataset,
    Failures,
    Generators,
    Minutes,
    Overrides,
    Percent,
    RequiredFile,
    Rounds,
    Seconds,
    Seed,
)
from flows.loop import SUBMITTERS, make_complete
from tasks.dataset import plan_dataset
from tasks.services import connected
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core.defaults import DEFAULT_BATCH_SIZE, DEFAULT_SAMPLES, DEFAULT_SEED
from vbvrdatafactory.core.models import OutputFormat
from vbvrdatafactory.core.names import Prefix
from vbvrdatafactory.core.seeds import Seeds
from vbvrdatafactory.planning.plan import Code, Distinctness, OnMismatch, Samples


@flow(
    name="generate-dataset",
    flow_run_name="generate-dataset/{dataset}",
    task_runner=SUBMITTERS,
    on_cancellation=[say_what_is_left],
)
@told_in_one_line
def generate_dataset(  # noqa: PLR0913 - flat parameters make the form that people fill in
    dataset: Dataset = "dataset",
    generators: Generators = [],  # noqa: B006 - the form shows the default; it is never changed
    samples: Samples = DEFAULT_SAMPLES,
    batch_size: BatchSizes = DEFAULT_BATCH_SIZE,
    seed: Seed = DEFAULT_SEED,
    output_format: OutputFormat = "files",
    require: list[RequiredFile] = [],  # noqa: B006
    overrides: Overrides = {},  # noqa: B006
    seeds: Seeds = "hashed",
    max_rounds: Rounds = 4,
    poll_seconds: Seconds = 15.0,
    stall_minutes: Minutes = 15.0,
    max_failures: Failures = None,
    max_failure_percent: Percent = 50,
    if_busy: Literal["wait", "refuse"] = "wait",
    on_mismatch: OnMismatch = "refuse",
    code: Code = "pinned",
    distinct: Distinctness = "any",
    prefix: Prefix = "",
    replace_spec: bool = False,  # noqa: FBT001, FBT002 - a tick box of the form
    max_cost_usd: Cost = None,
    require_approval: bool = False,  # noqa: FBT001, FBT002
) -> State[Any]:
    """Make the bucket hold exactly the dataset asked for, and prove it.

    Only what is missing or torn is made: a second run of a complete dataset sends nothing, and asking for
    more samples makes the difference.

    Args:
        dataset: Name of the dataset; its plan and its reports are filed under it.
        generators: Which generators to use; every one if none is chosen. Typed, they may be globs such as O-*.
        samples: Samples of each generator.
        batch_size: Samples of one message, 1 to 1000: one Lambda invocation makes them all. Auto chooses for each
            generator, by what its certificate says that batches take.
        seed: Base of every batch's seed; the same seed makes the same samples.
        output_format: How samples lie in the bucket: as files, or as one tar archive for each batch.
        require: Files every sample must have besides first_frame.png and prompt.txt.
        overrides: Other numbers for single generators, such as {"G-40_x": {"samples": 500, "batch_size": 5}}.
        seeds: How batches get their seeds; legacy as the predecessor did, for who must reproduce its samples.
        max_rounds: How often what is still missing is sent again.
        poll_seconds: Seconds between two looks at the queue.
        stall_minutes: Minutes after which messages that no worker receives end the run.
        max_failures: Failed batches that the run may have; more end it early. Empty for any number.
        max_failure_percent: Share of finished batches that may fail, judged from 20 on; more end the run early.
        if_busy: When another run makes this dataset, wait for it to end, or refuse.
        on_mismatch: When samples are there that are not what is asked for, or the generators' lock has other code or
            environments than the dataset was planned with, refuse, keep them and make the rest, or replace them.
        code: Which code and environments make a sample right. Those that the dataset was planned with, those of the
            generators' lock now, or any.
        distinct: Whether samples with the content of another one of their generator are made again under other seeds, a
            few times; then they are counted. Only for samples that lie as files.
        prefix: Folders of the bucket that samples and their records lie below, such as train-v2, so that two datasets
            of the same generators lie side by side. Empty for none.
        replace_spec: Redefine the dataset where the bucket describes another one under its name, such as one of
            another seed, or with generators that are left out now. That spec is kept, and so are samples.
        max_cost_usd: What the run may spend, by list prices of AWS; it ends when that is used up. Empty for any amount.
        require_approval: Send nothing but a few samples to certify each generator, until somebody has approved what the
            rest costs, with the flow approve-dataset or 'datafactory approve'.
    """
    policy = RunPolicy.of(
        poll_seconds=poll_seconds,
        stall_minutes=stall_minutes,
        max_failures=max_failures,
        max_failure_percent=max_failure_percent,
        max_rounds=max_rounds,
        if_busy=if_busy,
        max_cost_usd=max_cost_usd,
        require_approval=require_approval,
    )
    with connected():
        plan = plan_dataset(
            dataset,
            generators,
            samples=samples,
            batch_size=batch_size,
            seed=seed,
            output_format=output_format,
            require=tuple(require),
            overrides=overrides,
            seeds=seeds,
            on_mismatch=on_mismatch,
            code=code,
            distinct=distinct,
            prefix=prefix,
        )
        return ending(make_complete(plan, policy, is_new=True, replace_spec=replace_spec))
