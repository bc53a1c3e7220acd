"""Keys that S3 takes and no file can have: counted and named by every command, fatal to none."""

import json

import pytest

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.s3 import listing
from vbvrdatafactory.s3.listing import objects, sizes, take_inventory, times, top

MAZE = "G-3_maze_data-generator"
ODD = [
    f"questions/{MAZE}//b",
    f"questions/{MAZE}/./b",
    f"questions/{MAZE}/../b",
    f"questions/{MAZE}/t_task/t_0001/\x01b",
    f"questions/{MAZE}/t_task/t_0001/first_frame.png\n",
    f"questions/{MAZE}/t_task/t_0002//",
    f"questions/{MAZE}/t_task/\x7f/prompt.txt",
    "questions//G/t_task/t_0000/first_frame.png",
    "questions/./G/t_task/t_0000/first_frame.png",
    "questions/../G",
    "questions/\x1b[2J/t_task/t_0000/first_frame.png",
    "questions/odd\x07",
]
# Odd to look at, but a file can be called that.
USABLE = [
    f"questions/{MAZE}/a\\b",
    f"questions/{MAZE}/%2F%zz",
    f"questions/{MAZE}/ü?#*",
    f"questions/{MAZE}/" + "x" * 255 + "/" + "y" * 255,
    f"questions/{MAZE}/\u202egnp.exe",
]


@pytest.fixture
def odd(place):
    """A whole dataset of four samples, and beside them what nobody planned."""
    place.make(MAZE, range(4))
    for key in [*ODD, *USABLE]:
        place.s3.put_object(Bucket=place.config.output_bucket, Key=key, Body=b"x")
    place.put(
        "_datafactory/datasets/d/spec.json",
        json.dumps({"dataset": "d", "generators": [MAZE], "samples": 4, "batch_size": 4}).encode(),
    )
    return place


@pytest.mark.parametrize("key", ODD)
def test_report(run, place, key):
    """One such key, wherever it lies, stops no report: it is told as what it is, and the samples are counted."""
    place.make(MAZE, range(4))
    place.s3.put_object(Bucket=place.config.output_bucket, Key=key, Body=b"x")
    run("submit", "-g", MAZE, "-n", "4", "-b", "4", "--dataset", "d")
    result = run("report", "d")
    assert f"1 entries under questions/ are no sample and no archive, such as {key!r}." in result.stdout
    assert (result.exit_code, "d is complete: 4 of 4" in result.stdout) == (0, True)


def test_every_command_goes_on(run, odd):
    """Submit, report as JSON, and a dry run look at the same bucket and find it complete."""
    assert "Nothing is missing" in run("submit", "-g", MAZE, "-n", "4", "-b", "4", "--dataset", "d").stdout
    assert "would send 0 messages" in run("submit", "-g", MAZE, "-n", "4", "--dry-run").stdout
    assert json.loads(run("report", "d", "--json").stdout)["unrecognised"] >= len(ODD)


def test_download_leaves_them_out(run, odd, tmp_path):
    """What can be a file arrives; what can't is named, each, and the exit code tells; nothing leaves the folder."""
    out = tmp_path / "deep" / "er" / "out"
    result = run("download", out)
    there = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert there == {
        *(f"{MAZE}/t_task/t_000{i}/{name}" for i in range(4) for name in ("first_frame.png", "prompt.txt")),
        *(key.removeprefix("questions/") for key in USABLE if "\\" not in key),
    }
    assert result.exit_code == 1
    for key in [*ODD, USABLE[0]]:
        assert f"left out {key!r}" in result.stderr
    assert f"but {len(ODD) + 1} refused" in result.stderr
    assert [*tmp_path.rglob("b"), *tmp_path.rglob("G")] == []


def test_download_of_one_generator(run, odd, tmp_path):
    """With -g only that generator's odd keys are its business."""
    result = run("download", tmp_path / "out", "-g", MAZE)
    assert f"but {sum(MAZE in key for key in ODD) + 1} refused" in result.stderr


def test_listings_agree_with_boto3(odd, monkeypatch):
    """However small the pages, every other key comes once, in order, with all that is said of it."""
    monkeypatch.setattr(listing, "_PAGE", 2)
    found = odd.s3.list_objects_v2(Bucket=odd.config.output_bucket, Prefix=f"questions/{MAZE}/")["Contents"]
    usable = [one for one in found if one["Key"] not in ODD]
    left_out = []
    assert [*objects(odd.store, f"questions/{MAZE}", left_out.append)] == [
        (one["Key"], one["Size"], one["ETag"], one["LastModified"]) for one in usable
    ]
    assert sorted(left_out) == sorted(key for key in ODD if key.startswith(f"questions/{MAZE}/"))
    assert [*sizes(odd.store, f"questions/{MAZE}")] == [(one["Key"], one["Size"]) for one in usable]
    assert [*times(odd.store, f"questions/{MAZE}")] == [(one["Key"], one["LastModified"]) for one in usable]


def test_the_top_has_the_folders_that_can_be_generators(odd):
    """Folders without a usable name are none; every key below them is told."""
    left_out = []
    found = top(odd.store, "questions", left_out.append)
    assert (found.folders, found.objects) == ([f"questions/{MAZE}"], [])
    assert sorted(left_out) == sorted(key for key in ODD if not key.startswith(f"questions/{MAZE}/"))


def test_a_long_listing_goes_on_behind_an_odd_page(place):
    """boto3 lists the page that obstore refuses, obstore the pages before and behind it."""
    place.make(MAZE, range(1100))
    place.s3.put_object(
        Bucket=place.config.output_bucket, Key=f"questions/{MAZE}/t_task/t_0050//x", Body=b"x"
    )
    inventory = take_inventory(place.store)
    assert inventory[MAZE].whole(IndexRange(0, 2000)) == 1100
    assert (inventory.unrecognised, inventory.key_count) == (1, 2200)


def test_evidence_and_datasets(run, odd):
    """Records and datasets are found beside keys that can't be any."""
    receipt = keys.receipt(keys.ReceiptKey(MAZE, IndexRange(0, 4), 0))
    odd.put(receipt)
    for key in (
        "_datafactory/datasets/d/runs//x",
        "_datafactory/datasets//x",
        "_datafactory/datasets/\x1b[31m/spec.json",
        f"{receipt}//x",
    ):
        odd.s3.put_object(Bucket=odd.config.output_bucket, Key=key, Body=b"x")
    evidence = listing.take_evidence(odd.store, [MAZE])
    assert [made.key.indices for made in evidence.runs(MAZE)] == [IndexRange(0, 4)]
    assert (run("report").exit_code, run("runs", "d").exit_code) == (0, 0)


@pytest.mark.parametrize(
    "name",
    [
        "-rf",
        " leading",
        "trailing ",
        "a%2fb",
        "%2e%2e",
        "a#b?c=d&e",
        "~",
        "*",
        "...",
        "spä-\u6f22",
        "a+b",
        "<b>",
    ],
)
def test_an_odd_name_is_the_key_that_it_says(place, name):
    """What obstore puts, boto3 lists under exactly that key: no name is encoded twice, or is a path on its way."""
    key = f"questions/{MAZE}/t_task/t_0000/{name}"
    place.put(key)
    found = place.s3.list_objects_v2(Bucket=place.config.output_bucket)["Contents"]
    assert [one["Key"] for one in found] == [key]
    assert [*sizes(place.store, "questions")] == [(key, 1)]
