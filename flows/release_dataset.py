"""``release-dataset``: a release of a complete dataset, planned, built and checked; published only when that is asked for."""

from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows.ending import told_in_one_line
from flows.form import Dataset, Percent, Seed
from tasks.dataset import read_plan
from tasks.releases import (
    asked_for,
    build_release,
    check_release,
    folder_of,
    plan_release,
    publish_release,
    show_release,
)
from tasks.services import connected

LeftOut = Literal["gaps", "foreign", "unproven", "adopted", "stale", "copies"]
Target = Annotated[str, Field(pattern=r"^(hf:[^/\s]+/[^/\s]+|s3://[^/\s]+/\S+)?$")]


@flow(name="release-dataset", flow_run_name="release-dataset/{dataset}")
@told_in_one_line
def release_dataset(  # noqa: PLR0913 - the form's fields
    dataset: Dataset = "dataset",
    folder: str = "releases",
    test_percent: Percent = 5,
    seed: Seed = 0,
    licence: str = "cc-by-4.0",
    leave_out: list[LeftOut] = [],  # noqa: B006 - the form shows the default; it is never changed
    publish_to: Target = "",
    public: bool = False,  # noqa: FBT001, FBT002 - a tick box of the form
) -> State[Any]:
    """Make a release of a dataset: shards, metadata and a card, read as those will who train on it.

    Args:
        dataset: Name under which the dataset was asked for; the release is called so, too.
        folder: Where the Prefect worker keeps releases; this one is in a folder of its own there.
        test_percent: Share of the puzzles that go into the split test.
        seed: Decides splits and order.
        licence: An identifier of SPDX.
        leave_out: Samples that are not fit for a release and may be left out; without it they are refused.
        publish_to: hf:ORG/NAME or s3://BUCKET/PREFIX; empty publishes nothing.
        public: Make a repository of the Hub that does not exist yet public, not private.
    """
    with connected():
        where = folder_of(dataset, folder)
        plan, asked = read_plan(dataset), asked_for(dataset, test_percent, seed, licence)
        plan_release(plan, asked, leave_out)
        build_release(plan, asked, leave_out, where)
        checked = check_release(dataset, where)
        places = [str(where)]
        if publish_to and checked.is_good:
            places.append(publish_release(dataset, where, publish_to, public=public))
        said = show_release(dataset, checked, places)
    return Completed(message=said) if checked.is_good else Failed(message=said)
