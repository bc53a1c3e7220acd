"""One grammar, both directions: what spells a key also parses it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import MAX_BATCH
from vbvrdatafactory.core.names import safe_name
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.tallies import Tally

REAL_NAMES = [
    "O-41_nonogram_data-generator",
    "G-6_resize_object-data-generator",
    "O_48_sudoku_data_generator",
    "G-1_x_00000-00099",
    "G-1_x_00000-00099.tar.gz",
]


def is_safe(name: str) -> bool:
    try:
        return bool(safe_name(name))
    except ValueError:
        return False


names = st.sampled_from(REAL_NAMES) | st.from_regex(
    r"[A-Za-z0-9][A-Za-z0-9._\- ]{0,40}", fullmatch=True
).filter(is_safe)
tasks = st.sampled_from(["maze", "maze_task", "a_1", "x_task_2"]) | st.from_regex(
    r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,30}", fullmatch=True
)
indices = st.integers(0, 10**9)
widths = st.integers(1, 12)
batches = st.builds(
    lambda start, size: IndexRange(start, start + size), st.integers(0, 10**8), st.integers(1, MAX_BATCH)
)
salts = st.integers(0, 10_000)


@given(names, tasks, indices)
def test_a_sample_folder_comes_back(generator: str, task: str, index: int) -> None:
    """What is written for a sample is read as that sample."""
    folder = keys.SampleFolder(generator, task, index)
    assert keys.parse_sample_folder(keys.sample_folder(folder)) == folder


@given(names, tasks, indices, widths)
def test_an_index_is_read_at_any_width(generator: str, task: str, index: int, width: int) -> None:
    """Predecessors padded their numbers to other widths; they mean the same sample."""
    prefix = f"questions/{keys.task_root(generator, task)}/{task}_{index:0{width}d}"
    assert keys.parse_sample_folder(prefix) == keys.SampleFolder(generator, task, index)


@given(names, batches)
def test_an_archive_comes_back(generator: str, batch: IndexRange) -> None:
    """What is written for an archive is read as that batch, even where the name looks like a range."""
    archive = keys.Archive(generator, batch)
    assert keys.parse_archive(keys.archive(archive)) == archive


@given(names, batches, widths, widths)
def test_an_archive_is_read_at_any_width(generator: str, batch: IndexRange, one: int, other: int) -> None:
    """`_0-24.tar.gz` and `_000000-000024.tar.gz` hold the same batch."""
    key = f"questions/{generator}_{batch.start:0{one}d}-{batch.stop - 1:0{other}d}.tar.gz"
    assert keys.parse_archive(key) == keys.Archive(generator, batch)


@given(names, batches, salts, st.none() | st.integers(0, 2**32 - 1))
def test_a_receipt_comes_back(generator: str, batch: IndexRange, salt: int, seed: int | None) -> None:
    """A receipt's name says which run it is about and under which seed; without one it is of before names had it."""
    key = keys.ReceiptKey(generator, batch, salt, seed)
    assert keys.parse_receipt(keys.receipt(key)) == key


@given(names, batches, salts, st.integers(1, 2000), st.sampled_from(Cause))
def test_a_failure_record_comes_back(
    generator: str, batch: IndexRange, salt: int, attempt: int, cause: Cause
) -> None:
    """A failure record's name says which attempt at which run failed, and why."""
    key = keys.FailureKey(generator, batch, salt, attempt, cause)
    assert keys.parse_failure(keys.failure(key)) == key
    started = keys.StartedKey(*key[:4])
    assert keys.parse_started(keys.started(started)) == started
    assert keys.parse_failure(keys.started(started)) is keys.parse_started(keys.failure(key)) is None


@given(names, st.datetimes(datetime(2020, 1, 1), datetime(9999, 1, 1)))
def test_a_runs_folder_comes_back(dataset: str, at: datetime) -> None:
    """What a run's report is filed under is read back from its folder, listed with a slash or without."""
    run = Report(
        dataset=dataset,
        at=at.replace(tzinfo=UTC),
        generators=[Tally(generator="A", expected=1, whole=1, torn=0)],
    ).run_name
    folder = keys.run_file(dataset, run, "")
    assert keys.parse_run_folder(folder) == keys.parse_run_folder(folder.rstrip("/")) == run


@given(names, tasks, indices, batches, salts)
def test_a_key_is_of_one_kind_only(
    generator: str, task: str, index: int, batch: IndexRange, salt: int
) -> None:
    """No sample reads as an archive, no receipt as a failure, nothing of ours as a sample."""
    folder = keys.sample_folder(keys.SampleFolder(generator, task, index))
    archive = keys.archive(keys.Archive(generator, batch))
    receipt = keys.receipt(keys.ReceiptKey(generator, batch, salt))
    failure = keys.failure(keys.FailureKey(generator, batch, salt, 1, Cause.CRASH))
    parsers = (keys.parse_sample_folder, keys.parse_archive, keys.parse_receipt, keys.parse_failure)
    readings = [[parse(key) is not None for parse in parsers] for key in (folder, archive, receipt, failure)]
    assert readings == [[i == j for j in range(4)] for i in range(4)]


@given(st.text() | st.text("questions/_task0123456789-.targz", max_size=60))
def test_parsing_never_fails(text: str) -> None:
    """A key of anybody's is a value or None, never an exception."""
    parsers = (keys.parse_sample_folder, keys.parse_archive, keys.parse_receipt, keys.parse_failure)
    for parse in (*parsers, keys.parse_run_folder):
        parse(text)


@pytest.mark.parametrize(
    ("index", "name"), [(0, "maze_0000"), (7, "maze_0007"), (9999, "maze_9999"), (10_000, "maze_10000")]
)
def test_sample_names_have_four_digits_and_grow(index: int, name: str) -> None:
    """Four digits up to 9999, as many as needed from there on."""
    assert keys.sample_name("maze", index) == name
    assert keys.parse_sample_name(name) == ("maze", index)


def test_keys_read_as_documented() -> None:
    """The key contract, spelt out."""
    assert keys.sample_folder(keys.SampleFolder("G-1_x", "maze", 3)) == "questions/G-1_x/maze_task/maze_0003"
    archive = keys.Archive("G-1_x", IndexRange(25, 50))
    assert keys.archive(archive) == "questions/G-1_x_00025-00049.tar.gz"


def test_receipts_of_any_time_read_as_documented() -> None:
    """The name that receipts have, and the one that they had before."""
    old = keys.ReceiptKey("G-1_x", IndexRange(25, 50), 2)
    assert keys.receipt(old) == "_datafactory/receipts/G-1_x/00025-00049.s2.json"
    new = old._replace(seed=7)
    assert keys.receipt(new) == "_datafactory/receipts/G-1_x/00025-00049.s2.seed7.json"


def test_a_nested_sample_is_found() -> None:
    """Some generators nest their tasks deeper; the last `_task` folder is the sample's."""
    deep = "questions/G-1_x/hard_task/2026/maze_task/maze_00012"
    assert keys.parse_sample_folder(deep) == keys.SampleFolder("G-1_x", "maze", 12)


@pytest.mark.parametrize(
    "prefix",
    [
        "questions/G-1_x",
        "questions/G-1_x/maze_task",
        "questions/G-1_x/maze_task/notes",
        "questions/G-1_x/maze/maze_0001",
        "questions/G-1_x/maze_task/maze_0001/extra",
        "other/G-1_x/maze_task/maze_0001",
        "questions//maze_task/maze_0001",
        "questions/G-1_x/maze_task/maze_0001234567890",
    ],
)
def test_other_folders_are_no_samples(prefix: str) -> None:
    """Only `…/{task}_task/{anything}_{number}` under a generator is a sample."""
    assert keys.parse_sample_folder(prefix) is None


@pytest.mark.parametrize(
    "key",
    [
        "questions/G-1_x_00000-01000.tar.gz",
        "questions/G-1_x_00050-00049.tar.gz",
        "questions/G-1_x.tar.gz",
        "questions/G-1_x_00000-00024.tar",
        "questions/deeper/G-1_x_00000-00024.tar.gz",
        "questions/_00000-00024.tar.gz",
    ],
)
def test_other_files_are_no_archives(key: str) -> None:
    """An archive holds 1 to 1000 samples, ends after it starts, names a generator and lies at the top."""
    assert keys.parse_archive(key) is None


def test_a_failure_of_unknown_cause_is_not_read() -> None:
    """The causes are a closed vocabulary."""
    assert keys.parse_failure("_datafactory/failures/G/00000-00024.s0/001.gremlins.json") is None


@pytest.mark.parametrize("run", ["00000-01000", "00050-00049", "00000-99999999999"])
def test_a_record_of_no_possible_batch_is_not_read(run: str) -> None:
    """Like archives, receipts and failures are of 1 to 1000 samples; a foreign name cannot stall the planning."""
    assert keys.parse_receipt(f"_datafactory/receipts/G/{run}.s0.json") is None
    assert keys.parse_failure(f"_datafactory/failures/G/{run}.s0/001.crash.json") is None


@pytest.mark.parametrize(
    "key",
    [
        keys.dataset_file("d", "spec.json"),
        keys.dead_letter("d", "id"),
        keys.unreadable("id"),
        keys.RECEIPTS,
        keys.FAILURES,
    ],
)
def test_what_is_ours_lies_outside_the_dataset(key: str) -> None:
    """Syncing `questions/` gives exactly the dataset."""
    assert key.startswith("_datafactory/")
