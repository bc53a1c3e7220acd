"""The fakes of the control plane's bench say the truth, and the bench itself refuses what would mean nothing."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from bench.control import BenchError, FakeProcess, Reading, _list, fake, faster
from bench.fake_listing import BUCKET, Shape
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.s3.listing import sizes, take_inventory
from vbvrdatafactory.sqs.submitter import TaskSubmitter

ROOT = Path(__file__).resolve().parents[2]
SHAPE = Shape(generators=4, samples=450, fault_every=2)


@pytest.fixture(scope="module")
def listing() -> Iterator[FakeProcess]:
    """A fake bucket of four generators, two of which lack a sample and have a torn one."""
    with fake("fake_listing", len(SHAPE.names), SHAPE.samples, SHAPE.fault_every) as running:
        yield running


@pytest.fixture(scope="module")
def queue() -> Iterator[FakeProcess]:
    """A fake SQS."""
    with fake("fake_sqs") as running:
        yield running


def _settings(running: FakeProcess) -> Config:
    return Config(sqs_queue_url=f"{running.url}/0/tasks", output_bucket=BUCKET, aws_endpoint_url=running.url)


def test_the_listing_shows_exactly_what_was_planted(listing: FakeProcess) -> None:
    """Whole, torn and lacking samples of every generator, and every key once."""
    inventory = take_inventory(aws.bucket(_settings(listing)))
    plan = IndexRange(0, SHAPE.samples)
    for number, name in enumerate(SHAPE.names):
        missing, torn = SHAPE.missing(number), SHAPE.torn(number)
        assert inventory[name].torn(plan) == len(torn)
        found = {index for run in inventory[name].missing(plan) for index in range(*run)}
        assert found == missing | torn
    assert (inventory.key_count, inventory.unrecognised) == (SHAPE.keys, 0)
    assert list(inventory) == SHAPE.names


def test_the_listing_is_in_order_whoever_reads_it(listing: FakeProcess) -> None:
    """boto3 reads all folders as one listing, obstore each by itself: the same keys, sorted, none twice."""
    client = boto3.client("s3", endpoint_url=listing.url, aws_access_key_id="t", aws_secret_access_key="t")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="questions/")
    listed = [(item["Key"], item["Size"]) for page in pages for item in page["Contents"]]
    store = aws.bucket(_settings(listing))
    assert listed == [row for name in SHAPE.names for row in sizes(store, f"questions/{name}")]
    assert [key for key, _ in listed] == sorted({key for key, _ in listed})
    assert len(listed) == SHAPE.keys


def test_a_prefix_that_is_no_generator_is_empty(listing: FakeProcess) -> None:
    """Nothing is invented."""
    assert list(sizes(aws.bucket(_settings(listing)), "questions/nobody")) == []


def test_the_queue_counts_messages_and_copies(queue: FakeProcess) -> None:
    """Every message is taken; the same one again is counted and is no new one."""
    queue.steer("reset")
    for _ in range(2):
        done = TaskSubmitter(settings=_settings(queue)).submit_tasks(["A", "B"], 55, 5, 42)
        assert (done["total_successful"], done["total_failed"]) == (22, 0)
    assert queue.steer("state")["counts"] == {"calls": 6, "messages": 44, "distinct": 22}


def test_a_delay_is_kept(queue: FakeProcess) -> None:
    """A call takes at least as long as it was told to."""
    submitter = TaskSubmitter(settings=_settings(queue))
    queue.steer("delay?ms=100")
    started = time.perf_counter()
    submitter.submit_tasks(["A"], 1, 1, 42)
    assert time.perf_counter() - started >= 0.1
    queue.steer("delay?ms=0")


def test_faster_is_the_median_of_the_rounds() -> None:
    """A round in which the machine stood still does not decide."""
    ours = [Reading(100, seconds, 0, 0) for seconds in (1.0, 1.0, 50.0)]
    theirs = [Reading(10, seconds, 0, 0) for seconds in (1.0, 2.0, 1.0)]
    assert faster({"ours": ours, "other": theirs}, "other") == pytest.approx(10)
    assert faster({"ours": ours}, "other") is None


def test_it_measures_and_writes_its_readings(tmp_path: Path) -> None:
    """All three parts at a small size, with nothing but the checkout."""
    readings = tmp_path / "readings.json"
    command = [
        sys.executable, "-m", "bench.control", "--messages", "500", "--delays", "1", "--generators", "3",
        "--samples", "300", "--page-ms", "1", "--batches", "1000", "--rounds", "1", "--aws", "", "--s5cmd", "",
        "--json", str(readings),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(readings.read_text())
    assert [turn["count"] for turn in found["submit"]["1"]["ours"]] == [500]
    assert [turn["count"] for turn in found["verify"]["ours"]] == [Shape(3, 300, 7).keys]
    assert {way: turn[0]["count"] for way, turn in found["plan"].items()} == dict.fromkeys(
        ("batches", "messages", "gaps"), 1000
    )


def test_a_contestant_that_sees_less_is_no_contestant(listing: FakeProcess, tmp_path: Path) -> None:
    """A command that lists too few keys ends the bench instead of winning it."""
    with pytest.raises(BenchError, match=r"echo listed 1 keys of"):
        _list(listing, SHAPE, ["echo", "one line"], tmp_path)
