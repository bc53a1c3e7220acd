"""The flow that makes a release of a dataset."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import pytest

from flows.release_dataset import release_dataset
from tasks import artifacts
from tests.release.planted import plant_many
from tests.release.test_check import Inline
from vbvrdatafactory.driver import release_check
from vbvrdatafactory.s3 import specs
from vbvrdatafactory.testing import InMemoryAws

FLOW = sys.modules[release_dataset.fn.__module__]
TASKS = ("read_plan", "plan_release", "build_release", "check_release", "publish_release", "show_release")

Run = Callable[..., Any]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the run page shows."""
    pages: list[str] = []
    monkeypatch.setattr(artifacts, "_create", lambda artifact: pages.append(artifact.markdown))
    return pages


@pytest.fixture
def run(
    cloud: InMemoryAws,
    tmp_path: Path,
    run_log: logging.Logger,
    shown: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """The flow on a complete dataset, its tasks called as functions."""
    monkeypatch.setattr(release_check, "ProcessPoolExecutor", Inline)
    for name in TASKS:
        monkeypatch.setattr(FLOW, name, getattr(FLOW, name).fn)
    plan = plant_many(cloud.store, ["V-1_maze", "V-2_draw"], 20)
    specs.write_spec(cloud.store, plan.spec)
    return lambda **given: release_dataset.fn(**{"folder": str(tmp_path), "test_percent": 20} | given)


def test_a_release_is_built_checked_and_shown(
    run: Run, shown: list[str], cloud: InMemoryAws, tmp_path: Path
) -> None:
    """The run ends with what the release has, its page says where it is, and nothing is published."""
    state = run()
    assert state.type.value == "COMPLETED"
    assert "40 samples" in state.message
    assert "nothing is wrong" in state.message
    (page,) = shown
    assert str(tmp_path / "dataset") in page
    assert (tmp_path / "dataset" / "README.md").exists()
    assert [*cloud._buckets] == ["in-memory"]


def test_it_is_published_when_that_is_asked_for(run: Run, shown: list[str], cloud: InMemoryAws) -> None:
    """What is good goes to the target that was named, and the page names it."""
    assert run(publish_to="s3://releases/v1").type.value == "COMPLETED"
    found = {each["path"] for page in obstore.list(cloud.bucket("releases/v1")) for each in page}
    assert {"README.md", "release.json", "metadata.parquet"} <= found
    assert "s3://releases/v1" in shown[0]


def test_what_is_wrong_is_not_published(
    run: Run, shown: list[str], cloud: InMemoryAws, tmp_path: Path
) -> None:
    """A release in which something is wrong fails the run, is shown with it, and goes nowhere."""
    run()
    (tmp_path / "dataset" / "data" / "train" / "train-00077.tar").write_bytes(b"")
    state = run(publish_to="s3://releases/v1")
    assert state.type.value == "FAILED"
    assert "wrong" in state.message
    assert "stray-shard" in shown[-1]
    assert [*cloud._buckets] == ["in-memory"]


@pytest.mark.parametrize("address", ["s3://releases/v1", "hf:org/name"])
def test_an_address_is_no_folder(
    run: Run, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would make a folder of that name; the run ends with what was given, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    state = run(folder=address)
    assert state.type.value == "FAILED"
    assert f"{address!r} is no folder" in state.message
    assert not [*tmp_path.iterdir()]


def test_a_dataset_with_gaps_is_refused(run: Run, cloud: InMemoryAws) -> None:
    """What can't be released ends the run with the reason, before anything is built."""
    listed = [each["path"] for page in obstore.list(cloud.store, "questions/V-1_maze/") for each in page]
    obstore.delete(cloud.store, [path for path in listed if "_0003/" in path])
    state = run()
    assert state.type.value == "FAILED"
    assert "missing" in state.message
    assert run(leave_out=["gaps"]).type.value == "COMPLETED"
