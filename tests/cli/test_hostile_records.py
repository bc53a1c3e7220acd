"""A bucket writer cannot stop a report: whatever lies under ``_datafactory/`` is counted and named, never fatal."""

import json

import pytest

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.ranges import IndexRange

MAZE = "G-3_maze_data-generator"
SPEC = {"dataset": "d", "generators": [MAZE], "samples": 4, "batch_size": 4}
RUN = keys.ReceiptKey(MAZE, IndexRange(0, 4), 7, 5, "20260101T000000000000Z-0123abcd")
RECEIPT = keys.receipt(RUN)
PARTIAL = keys.receipt(RUN._replace(is_partial=True))
OLD = keys.receipt(RUN._replace(made="", seed=None))
ADOPTED = keys.adoption(MAZE, IndexRange(0, 4), RUN.made)
FAILURE = f"_datafactory/failures/{MAZE}/00000-00003.s0/001.crash.json"
STARTED = f"_datafactory/failures/{MAZE}/00000-00003.s0/002.started.json"

CONTENTS = {
    "no-json": b"\x00\xff{",
    "empty": b"",
    "a-list": b"[]",
    "deep": b"[" * 100_000,
    "deep-inside": b'{"message":' + b"[" * 100_000,
    "large": b'{"x": "' + b"x" * 10_000_000 + b'"}',
    "newer": b'{"schema_version": 99}',
    "huge-number": b'{"schema_version": ' + b"9" * 5000 + b"}",
    "nan": b'{"schema_version": NaN}',
    "half-a-pair": rb'{"message": "\ud800", "schema_version": 1}',
    "terminal": "{\x1b[2J\u202e<b>".encode(),
}

ODD_KEYS = [
    "_datafactory//x",
    "_datafactory/../x",
    "_datafactory/\x1b[2J",
    "_datafactory/datasets//spec.json",
    "_datafactory/datasets/../spec.json",
    "_datafactory/datasets/d//x",
    "_datafactory/datasets/\x07/spec.json",
    f"_datafactory/receipts/{MAZE}//x",
    f"_datafactory/receipts/{MAZE}/../{MAZE}/x.json",
    f"_datafactory/receipts/{MAZE}/\x01.json",
    f"_datafactory/receipts/{MAZE}/no-record.json",
    f"_datafactory/receipts/{MAZE}/00000-99999.s0.json",
    f"_datafactory/receipts/{MAZE}/00003-00000.s0.json",
    f"_datafactory/receipts/{MAZE}/99999999999-99999999999.s0.json",
    f"_datafactory/receipts/{MAZE}/\u0660-\u0663.s0.json",
    f"_datafactory/failures/{MAZE}//x",
    f"_datafactory/failures/{MAZE}/00000-00003.s0/001.gremlins.json",
    f"_datafactory/adopted//{MAZE}/x",
    f"_datafactory/adopted/{MAZE}/x.json",
    f"_datafactory/ledger/{MAZE}.parquet//x",
    "_datafactory/ledger//x",
    "_datafactory/ledger/\x01.parquet",
    "_datafactory/runs/\u202e",
    f"questions/{MAZE}/t_task/t_0009/",
    "questions/" + "k" * 1014,
    f"questions/{MAZE}/t_task/" + "k" * (1024 - len(f"questions/{MAZE}/t_task/")),
    f"questions/{MAZE}/t_task/t_{'9' * 300}/first_frame.png",
    f"questions/{MAZE}/t_task/t_\u0661/first_frame.png",
    "questions/\u202e/\u2066_task/x_0000/first_frame.png",
    f"questions/{MAZE}_00000-00003.tar.gz",
]


@pytest.fixture
def dataset(place):
    """A whole dataset of four samples with its spec."""
    place.make(MAZE, range(4))
    put(place, keys.dataset_file("d", "spec.json"), json.dumps(SPEC).encode())
    return place


def put(place, key, body=b"x"):
    place.s3.put_object(Bucket=place.config.output_bucket, Key=key, Body=body)


def reported(run):
    """The report as JSON; it, and what is said beside it, is text without control over a terminal."""
    shown = run("report", "d")
    assert shown.exit_code == 0, (shown.stdout, shown.stderr, shown.exception)
    for character in "\x1b\x07\x01\u202e\u2066":
        assert character not in shown.stdout + shown.stderr
    result = run("report", "d", "--json")
    assert result.exit_code == 0, (result.stderr, result.exception)
    return json.loads(result.stdout)


@pytest.mark.parametrize("what", CONTENTS)
@pytest.mark.parametrize(
    "key",
    [
        RECEIPT,
        PARTIAL,
        OLD,
        ADOPTED,
        FAILURE,
        STARTED,
        keys.ledger(MAZE),
        keys.dataset_file("d", "report.json"),
    ],
    ids=["receipt", "partial", "old", "adopted", "failure", "started", "ledger", "report"],
)
def test_a_record_that_is_none(run, dataset, key, what):
    """A receipt, record, ledger or report with anything in it: the samples are counted as they are."""
    put(dataset, key, CONTENTS[what])
    found = reported(run)
    assert found["total"]["whole"] == 4
    assert found["total"]["torn"] == found["total"]["missing"] == 0


@pytest.mark.parametrize("key", ODD_KEYS, ids=[str(number) for number in range(len(ODD_KEYS))])
def test_an_odd_key(run, dataset, key):
    """One such key, wherever it lies, stops no report and changes no count of the dataset's samples."""
    put(dataset, key)
    found = reported(run)
    assert found["total"]["whole"] == 4
    assert found["total"]["missing"] == 0


def test_all_odd_keys_at_once(run, dataset):
    """Beside each other, with records that are none, they are counted, and the first is named."""
    for key in ODD_KEYS:
        put(dataset, key)
    for what, body in CONTENTS.items():
        put(dataset, f"_datafactory/receipts/{MAZE}/{len(what):05d}-{len(what):05d}.s0.json", body)
    found = reported(run)
    assert found["total"]["whole"] == 4
    assert found["unrecognised"] >= 5
    beside = (f"{keys.RECEIPTS}{MAZE}/", f"{keys.FAILURES}{MAZE}/")
    odd = [key for key in ODD_KEYS if key.startswith(beside) and not keys.parse_receipt(key)]
    assert (found["odd_records"], found["odd_records_example"]) == (len(odd), min(odd))
    said = f"{len(odd)} objects under _datafactory/ are no records where only records belong, such as {min(odd)!r}."
    assert said in run("report", "d").stdout
    assert run("submit", "-g", MAZE, "-n", "4", "-b", "4", "--dataset", "d", "--dry-run").exit_code == 0
