"""`datafactory report`: looks, and changes nothing."""

import json

import pytest

from tests.recorded import put_recorded
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import FailureRecord
from vbvrdatafactory.planning.plan import DatasetSpec
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.specs import write_spec

MAZE, FIRST = "G-3_maze_data-generator", "O-1_first_data-generator"


@pytest.fixture
def described(place):
    """A described dataset: one generator whole, one with 6 of 10 samples."""
    write_spec(place.store, DatasetSpec(generators=(MAZE, FIRST), samples=10))
    place.make(MAZE, range(10))
    place.make(FIRST, range(6))
    place.put(f"questions/{FIRST}/t_task/t_0008/prompt.txt")
    return place


def test_incomplete(run, described):
    """An incomplete dataset ends with exit code 1 and figures for each generator and in total."""
    result = run("report")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [MAZE, "10", "10", "10", "0", "0", "0", "100.00", "%", "10", "of", "10"] in lines
    assert [FIRST, "10", "6", "6", "1", "3", "0", "60.00", "%", "6", "of", "6"] in lines
    assert ["total", "20", "16", "16", "1", "3", "0", "80.00", "%", "16", "of", "16"] in lines
    assert result.stdout.splitlines()[-1] == "dataset is incomplete: 4 of 20 samples are missing or torn."
    assert result.exit_code == 1


def test_complete(run, described):
    """A complete dataset ends with exit code 0 and says so last."""
    described.make(FIRST, range(10))
    result = run("report", "dataset")
    assert result.stdout.splitlines()[-1] == "dataset is complete: 20 of 20 samples are whole, 20 are right."
    assert result.exit_code == 0


def test_json(run, described):
    """`--json` prints the same figures and the missing ranges, and nothing else."""
    result = run("report", "--json")
    said = json.loads(result.stdout)
    assert [(t["generator"], t["whole"], t["torn"], t["missing"]) for t in said["generators"]] == [
        (MAZE, 10, 0, 0),
        (FIRST, 6, 1, 3),
    ]
    assert (said["total"]["whole"], said["total"]["missing"]) == (16, 3)
    assert said["generators"][1]["gaps"] == [[6, 10]]
    assert (said["bucket"], result.stderr, result.exit_code) == (described.config.output_bucket, "", 1)


def test_samples_that_repeat_show(run, described):
    """A complete dataset of repeated samples is complete, and said to repeat itself."""
    files = {"first_frame.png": b"png", "prompt.txt": b"prompt"}
    put_recorded(described.store, FIRST, range(10), files=files, digests={i: f"d{i % 2}" for i in range(10)})
    result = run("report")
    row = next(line.split() for line in result.stdout.splitlines() if line.split()[:1] == [FIRST])
    assert row[-3:] == ["2", "of", "10"]
    assert (
        f"{FIRST} repeats itself: 2 of 10 samples are distinct, and it can make 2 at least" in result.stdout
    )
    assert result.exit_code == 0
    assert json.loads(run("report", "--json").stdout)["total"]["distinct"]["distinct"] == 10 + 2


def test_markdown(run, described):
    """`--markdown` prints the same figures as a Markdown table."""
    assert f"| {FIRST} | 10 | 6 | 6 | 1 | 3 | 0 | 60.00 % |" in run("report", "--markdown").stdout


def test_report_changes_nothing(run, described):
    """A report leaves the bucket and the queue as they were, and needs no queue."""
    before = described.listed()
    run("report")
    assert (described.listed(), described.messages()) == (before, [])


def test_failures_are_told(run, described):
    """Why samples are missing is told by generator and cause, with what the latest attempt said."""
    record = FailureRecord(
        message=None,
        cause="deadline",
        detail="stopped after 840 s",
        attempt=2,
        failed_at="2026-01-01T00:00:00Z",
    )
    for attempt in (1, 2):
        key = keys.FailureKey(FIRST, IndexRange(0, 10), 0, attempt, "deadline")
        records.write(described.store, keys.failure(key), record)
    out = run("report").stdout
    assert [FIRST, "deadline", "2", "stopped", "after", "840", "s"] in [
        line.split() for line in out.splitlines()
    ]


def test_one_of_several_must_be_named(run, described):
    """Where the bucket describes several datasets, the report asks which, and names them."""
    write_spec(described.store, DatasetSpec(dataset="other", generators=(MAZE,), samples=1))
    result = run("report")
    assert "name one of dataset, other" in result.stderr
    assert result.exit_code == 1
    assert run("report", "other").exit_code == 0


@pytest.mark.parametrize(("name", "said"), [([], "describes no dataset"), (["d"], "no dataset 'd'")])
def test_nothing_described(run, place, name, said):
    """A bucket that describes no such dataset is one line and exit code 1."""
    result = run("report", *name)
    assert said in result.stderr
    assert result.exit_code == 1


def test_two_formats_are_refused(run, described):
    """JSON and Markdown at once is a command line that cannot be read."""
    assert run("report", "--json", "--markdown").exit_code == 2


def test_bucket_option(run, described, monkeypatch):
    """`--bucket` is looked at instead of OUTPUT_BUCKET."""
    monkeypatch.setenv("OUTPUT_BUCKET", "another-bucket")
    assert "80.00 %" in run("report", "--bucket", described.config.output_bucket).stdout


def test_samples_of_another_seed_are_no_samples_of_the_dataset(run, described):
    """All are whole, and six were made for another seed: their generator is named, and the exit code is 1."""
    described.make(FIRST, range(6, 10))
    put_recorded(described.store, FIRST, range(6), seed=7)
    result = run("report")
    assert f"{FIRST}: 6 samples were made for another seed than the dataset's." in result.stdout
    assert result.stdout.splitlines()[-1] == (
        "dataset is incomplete: 6 of 20 samples were made for another seed."
    )
    assert result.exit_code == 1
    assert json.loads(run("report", "--json").stdout)["total"]["other_seed"] == 6
    assert f"- {FIRST}: 6 samples were made for another seed" in run("report", "--markdown").stdout
