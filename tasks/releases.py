"""Tasks on a release: plan, build, check and publish it, and show it on the run page.

What they need is an extra, which a Prefect worker that only makes datasets has not: it is imported when a task runs.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task
from prefect.logging import get_run_logger

from tasks import artifacts
from tasks.services import services
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.planning.plan import Plan

if TYPE_CHECKING:
    from vbvrdatafactory.driver.release_build import Asked
    from vbvrdatafactory.driver.release_check import Checked

_SHARD_BYTES = 10**9
# Megabits a second, for how long it takes.
_MBIT = 1000.0


@contextmanager
def extra() -> Iterator[None]:
    """Name the extra where something that it brings is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed where this run is; pip install 'vbvrdatafactory[release]' brings what a release needs"
        ) from error


def asked_for(dataset: str, test_percent: int, seed: int, licence: str) -> "Asked":
    """A release as a form asks for it."""
    with extra():
        from vbvrdatafactory.driver.release_build import Asked  # noqa: PLC0415 - the extra brings it

    shares = {"test": test_percent / 100} if test_percent else {}
    return Asked(dataset, seed, licence, shares, _SHARD_BYTES, os.cpu_count() or 1)


@task(task_run_name="{plan.spec.dataset}/plan-release", persist_result=False)
def plan_release(plan: Plan, asked: "Asked", leave_out: Sequence[str]) -> None:
    """Say what the release will hold, and refuse a dataset that is not fit for one; nothing is written.

    Raises:
        ReleaseError: the dataset has samples that are missing, unproven or not as they were asked for.
    """
    with extra():
        from vbvrdatafactory.driver.release import arrange_samples, choice_of  # noqa: PLC0415 - the extra brings it
        from vbvrdatafactory.driver.release_shard import shard_path  # noqa: PLC0415 - as it
        from vbvrdatafactory.release.choosing import Unfit  # noqa: PLC0415 - as it
        from vbvrdatafactory.release.forecast import forecast  # noqa: PLC0415 - as it
        from vbvrdatafactory.release.publishing import HUB  # noqa: PLC0415 - as it

    log = get_run_logger()
    with choice_of(services(), plan, [Unfit(one) for one in leave_out]) as choice:
        arranged = arrange_samples(choice, asked)
        shards = {key: shard_path(*key) for key in arranged.select("split", "shard").unique().iter_rows()}
        said = forecast(arranged, shards, choice.left_out)
    for line in said.lines(_MBIT):
        log.info("%s", for_terminal(line))
    for problem in said.problems(HUB):
        log.warning("the Hub would not take it: %s", problem)


def folder_of(dataset: str, folder: str) -> Path:
    """Where the release of a dataset is kept.

    Raises:
        ReleaseError: what was given is an address.
    """
    with extra():
        from vbvrdatafactory.driver.release_place import parse_folder  # noqa: PLC0415 - the extra brings it

    return parse_folder(folder) / dataset


@task(task_run_name="{plan.spec.dataset}/build-release", persist_result=False)
def build_release(plan: Plan, asked: "Asked", leave_out: Sequence[str], folder: Path) -> None:
    """Build the release in a folder, or what is left of it after an earlier run.

    Raises:
        ReleaseError: the dataset is not fit for one, or the folder has another.
    """
    with extra():
        from vbvrdatafactory.driver import release  # noqa: PLC0415 - the extra brings it
        from vbvrdatafactory.driver.release_place import Place  # noqa: PLC0415 - as it
        from vbvrdatafactory.release.choosing import Unfit  # noqa: PLC0415 - as it

    unfit = [Unfit(one) for one in leave_out]
    done = release.build_release(services(), plan, asked, Place(folder), datetime.now(UTC), leave_out=unfit)
    get_run_logger().info("%d of %d shards were built now", done.built, len(done.release.shards))


@task(task_run_name="{dataset}/check-release", persist_result=False)
def check_release(dataset: str, folder: Path) -> "Checked":
    """Read all of the release as its users will, without a network."""
    del dataset  # it names the task run
    with extra():
        from vbvrdatafactory.driver.release_check import check  # noqa: PLC0415 - the extra brings it

    checked = check(folder)
    log = get_run_logger()
    for found in checked.found.kept:
        log.error("%s", for_terminal(str(found)))
    return checked


@task(task_run_name="{dataset}/publish-release", persist_result=False)
def publish_release(dataset: str, folder: Path, target: str, *, public: bool) -> str:
    """Send what the target lacks of the release; returns where it is.

    Raises:
        PublishError: the target could not take it, or holds something else.
    """
    del dataset  # it names the task run
    with extra():
        from vbvrdatafactory.driver.release_publish import publish  # noqa: PLC0415 - the extra brings it
        from vbvrdatafactory.driver.release_source import Source  # noqa: PLC0415 - as it
        from vbvrdatafactory.driver.release_targets import find_target  # noqa: PLC0415 - as it

    here, log = services(), get_run_logger()
    found = find_target(target, here.config, private=not public)
    done = publish(Source(folder, found.repository), found, here.clock, log.warning)
    log.info(
        "%s holds all of it: %d files, %d sent, %d deleted", found.name, done.files, done.sent, done.deleted
    )
    return found.name


@task(task_run_name="{dataset}/show-release", persist_result=False)
def show_release(dataset: str, checked: "Checked", places: Sequence[str]) -> str:
    """Show the release on the run page; returns the page's first line."""
    with extra():
        from vbvrdatafactory.release.page import headline, page  # noqa: PLC0415 - the extra brings it

    counts = {str(trap): count for trap, count in checked.found.counts.items()}
    text = page(checked.release, places, map(str, checked.found.kept), counts)
    artifacts.publish_release(dataset, text)
    return headline(checked.release, counts)
