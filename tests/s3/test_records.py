"""Our own records in the bucket, read as they were written."""

from datetime import UTC, datetime
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.errors import DataFactoryError, UnreadableRecordError
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.records import FailureRecord, Receipt
from vbvrdatafactory.driver.messages import read_receipts
from vbvrdatafactory.driver.reports import copy_report, explain_failures, write_report
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.plan import Override, Plan, make_spec
from vbvrdatafactory.planning.spec_changes import Redefined, describe
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.tallies import Tally
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import take_evidence
from vbvrdatafactory.s3.specs import list_datasets, read_all_specs, read_spec, write_spec

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
MESSAGE = TaskMessage(type="A", num_samples=10, seed=5, only_indices=(3, 4))
RECEIPT = Receipt(
    message=MESSAGE,
    seed=5,
    stored=[IndexRange(3, 5)],
    result=TaskResult(generator="A", samples_uploaded=2, sample_ids=["t_0003", "t_0004"]),
    attempt=2,
    generator_digest="abc",
    finished_at=NOON,
)
SPEC = make_spec(dataset="spring", generators=["A", "B"], samples=30, overrides={"B": Override(samples=5)})


@pytest.fixture
def bucket() -> MemoryStore:
    """An empty bucket."""
    return MemoryStore()


def failed(cause: Cause, detail: str, stderr: str = "") -> FailureRecord:
    return FailureRecord(
        message=MESSAGE, cause=cause, detail=detail, stderr_tail=stderr, attempt=1, failed_at=NOON
    )


def put_failure(bucket: MemoryStore, start: int, attempt: int, record: FailureRecord) -> None:
    key = keys.FailureKey("A", IndexRange(start, start + 10), 0, attempt, record.cause)
    records.write(bucket, keys.failure(key), record)


@pytest.mark.parametrize(
    "model",
    [SPEC, MESSAGE, RECEIPT, failed(Cause.CRASH, "exit 1", "Traceback\nValueError: no")],
    ids=lambda model: type(model).__name__,
)
def test_a_record_comes_back(bucket: MemoryStore, model: Receipt) -> None:
    """What is read is what was written."""
    records.write(bucket, "_datafactory/x.json", model)
    assert records.read(bucket, "_datafactory/x.json", type(model)) == model


def test_a_record_that_is_not_there_is_none(bucket: MemoryStore) -> None:
    """Absence is an answer, not an error."""
    assert records.read(bucket, "_datafactory/x.json", Receipt) is None


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b"\xff"])
def test_a_record_that_is_something_else_names_its_key(bucket: MemoryStore, data: bytes) -> None:
    """One line with the key and what it should have been."""
    obstore.put(bucket, "_datafactory/x.json", data)
    with pytest.raises(DataFactoryError, match=r"^_datafactory/x\.json is no Receipt: "):
        records.read(bucket, "_datafactory/x.json", Receipt)


def test_a_record_says_what_it_is(bucket: MemoryStore) -> None:
    """A browser shows JSON and Markdown as such."""
    for name in ("x.json", "x.md"):
        records.write_text(bucket, name, "text")
    kinds = [obstore.get(bucket, name).attributes["Content-Type"] for name in ("x.json", "x.md")]
    assert kinds == ["application/json", "text/markdown; charset=utf-8"]


def test_a_dataset_is_described_once_and_read_by_name(bucket: MemoryStore) -> None:
    """Gaps can be filled later without asking again."""
    write_spec(bucket, SPEC)
    assert read_spec(bucket, "spring") == SPEC
    assert list_datasets(bucket) == ["spring"]


def test_an_unknown_dataset_is_answered_with_the_known_ones(bucket: MemoryStore) -> None:
    """The next move is in the message."""
    with pytest.raises(DataFactoryError, match="no dataset 'autumn' .* described: none"):
        read_spec(bucket, "autumn")
    write_spec(bucket, SPEC)
    with pytest.raises(DataFactoryError, match="described: spring"):
        read_spec(bucket, "autumn")


@pytest.mark.parametrize("name", ["../spring", "", "a/b", "a\0"])
def test_a_name_no_dataset_can_have_is_an_answer_too(bucket: MemoryStore, name: str) -> None:
    """A slip on the command line is one line, not an error of the store."""
    with pytest.raises(DataFactoryError, match="dataset"):
        read_spec(bucket, name)


def test_a_report_is_filed_for_programs_and_for_people(bucket: MemoryStore) -> None:
    """JSON, Markdown and a page, side by side, outside the dataset."""
    report = Report(dataset="spring", at=NOON, generators=[Tally(generator="A", expected=9, whole=9, torn=0)])
    write_report(bucket, report)
    place = "_datafactory/datasets/spring/report"
    assert records.read(bucket, f"{place}.json", Report) == report
    assert bytes(obstore.get(bucket, f"{place}.md").bytes()).decode() == report.to_markdown()
    assert report.headline in bytes(obstore.get(bucket, f"{place}.html").bytes()).decode()


def test_a_filed_report_can_be_brought_home(bucket: MemoryStore, tmp_path: Path) -> None:
    """All three files, into a folder that is made; the page is the one to open."""
    report = Report(dataset="spring", at=NOON, generators=[Tally(generator="A", expected=9, whole=8, torn=0)])
    write_report(bucket, report)
    page = copy_report(bucket, "spring", tmp_path / "deep" / "report")
    assert sorted(path.suffix for path in page.parent.iterdir()) == [".html", ".json", ".md"]
    assert "incomplete" in page.read_text()


def test_the_receipts_of_the_neighbours_are_read(bucket: MemoryStore) -> None:
    """Those of runs that made a part of what is missing, and no others."""
    plan = Plan(SPEC)
    for start in (0, 10, 20):
        message = TaskMessage(type="A", num_samples=10, start_index=start)
        seed = plan.batch("A", message.indices).seed
        made = RECEIPT.model_copy(update={"message": message, "seed": seed})
        records.write(bucket, keys.receipt(keys.ReceiptKey("A", IndexRange(start, start + 10), 0)), made)
    gap = Gap("A", (IndexRange(8, 12),))
    found = read_receipts(bucket, plan, gap, take_evidence(bucket, ["A"]))
    assert sorted(key.indices.start for key in found) == [0, 10]
    assert all(receipt.message.start_index == key.indices.start for key, receipt in found.items())


def test_a_failure_is_explained_by_what_its_latest_record_said(bucket: MemoryStore) -> None:
    """Counted by cause, with the detail and the last line of stderr of the latest attempt."""
    put_failure(bucket, 0, 1, failed(Cause.CRASH, "exit code 1", "first"))
    put_failure(bucket, 0, 2, failed(Cause.CRASH, "exit code 2", "Traceback\nValueError: no room\n"))
    put_failure(bucket, 0, 3, failed(Cause.DEADLINE, "stopped after 900 s"))
    found = explain_failures(bucket, take_evidence(bucket, ["A"]), [Gap("A", (IndexRange(0, 10),))])
    assert [(tally.cause, tally.count, tally.detail) for tally in found] == [
        (Cause.CRASH, 2, "exit code 2: ValueError: no room"),
        (Cause.DEADLINE, 1, "stopped after 900 s"),
    ]


def test_a_failure_is_not_explained_by_another_batchs(bucket: MemoryStore) -> None:
    """What failed elsewhere, later, in samples that are there by now, says nothing about what is missing."""
    put_failure(bucket, 0, 1, failed(Cause.CRASH, "this one"))
    put_failure(bucket, 50, 1, failed(Cause.CRASH, "another"))
    [found] = explain_failures(bucket, take_evidence(bucket, ["A"]), [Gap("A", (IndexRange(0, 10),))])
    assert (found.count, found.detail) == (1, "this one")


def test_a_failure_is_counted_even_where_its_record_cannot_be_read(bucket: MemoryStore) -> None:
    """A report is not stopped by one damaged record of why something else failed."""
    obstore.put(bucket, keys.failure(keys.FailureKey("A", IndexRange(0, 10), 0, 1, Cause.CRASH)), b"not json")
    [found] = explain_failures(bucket, take_evidence(bucket, ["A"]), [Gap("A", (IndexRange(0, 10),))])
    assert found.count == 1


@pytest.mark.parametrize("body", [b"not json", b"{}", b'{"schema_version": 2}'])
def test_a_receipt_that_cannot_be_read_stops_the_planning_that_needs_it(
    bucket: MemoryStore, body: bytes
) -> None:
    """Fresh samples in the place of those that it could replay would be another dataset, without a word."""
    key = keys.receipt(keys.ReceiptKey("A", IndexRange(0, 10), 0))
    obstore.put(bucket, key, body)
    evidence = take_evidence(bucket, ["A"])
    with pytest.raises(UnreadableRecordError, match=f"^{key}.* of A were made .* Restore it, or delete it"):
        read_receipts(bucket, Plan(SPEC), Gap("A", (IndexRange(8, 12),)), evidence)
    assert read_receipts(bucket, Plan(SPEC), Gap("A", (IndexRange(12, 20),)), evidence) == {}


def test_a_receipt_that_was_deleted_since_it_was_listed_is_none(bucket: MemoryStore) -> None:
    """Somebody wants fresh samples there."""
    key = keys.receipt(keys.ReceiptKey("A", IndexRange(0, 10), 0))
    obstore.put(bucket, key, b"{}")
    evidence = take_evidence(bucket, ["A"])
    obstore.delete(bucket, key)
    assert read_receipts(bucket, Plan(SPEC), Gap("A", (IndexRange(8, 12),)), evidence) == {}


def test_nothing_missing_needs_no_explanation(bucket: MemoryStore) -> None:
    """A complete dataset has no failures to show, whatever happened on the way."""
    put_failure(bucket, 0, 1, failed(Cause.CRASH, "long ago"))
    assert explain_failures(bucket, take_evidence(bucket, ["A"]), []) == []


def test_a_spec_of_another_dataset_takes_a_word(bucket: MemoryStore) -> None:
    """Another seed under the name is refused, and the spec that was there stays."""
    write_spec(bucket, SPEC)
    with pytest.raises(Redefined, match=r"^dataset 'spring' is described otherwise .*\(seed: 42 → 7\)"):
        write_spec(bucket, SPEC.model_copy(update={"seed": 7}))
    assert read_spec(bucket, "spring") == SPEC


def test_a_spec_that_is_replaced_is_kept(bucket: MemoryStore) -> None:
    """Those that grew and those that were replaced with a word; what is asked for twice is filed once."""
    more, other = (SPEC.model_copy(update=change) for change in ({"samples": 60}, {"seed": 7}))
    said = [
        describe(write_spec(bucket, spec, replace=replace, at=NOON.replace(minute=minute)))
        for minute, (spec, replace) in enumerate(
            [(SPEC, False), (SPEC, False), (more, False), (other, True), (other, False)]
        )
    ]
    assert said == ["", "", "samples: 30 → 60 of A", "seed: 42 → 7; samples: 60 → 30 of A", ""]
    assert read_all_specs(bucket) == [other, SPEC, more]
    former = sorted(
        item["path"] for page in obstore.list(bucket, keys.former_specs("spring")[:-1]) for item in page
    )
    assert former == [
        "_datafactory/datasets/spring/specs/20260115T120200000000Z.json",
        "_datafactory/datasets/spring/specs/20260115T120300000000Z.json",
    ]


@pytest.mark.parametrize("data", [b"not json", b'{"seed": 42, "of_tomorrow": 1}'])
def test_a_spec_that_can_not_be_read_is_not_overwritten_without_a_word(
    bucket: MemoryStore, data: bytes
) -> None:
    """What it was is unknown, so what is asked for is another dataset; with a word it is kept as it is."""
    obstore.put(bucket, keys.dataset_file("spring", "spec.json"), data)
    with pytest.raises(Redefined, match="spec.json is no DatasetSpec"):
        write_spec(bucket, SPEC)
    write_spec(bucket, SPEC, replace=True, at=NOON)
    assert bytes(obstore.get(bucket, keys.former_spec("spring", NOON)).bytes()) == data
    assert read_all_specs(bucket) == [SPEC]


def test_a_record_of_many_megabytes_is_as_one_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named with the next move, and stops nobody who only shows it."""
    store = MemoryStore()
    obstore.put(store, "_datafactory/x.json", b'{"x": 1}')
    monkeypatch.setattr(records, "_MOST_BYTES", 7)
    assert records.read_if_valid(store, "_datafactory/x.json", FailureRecord) is None
    assert "'_datafactory/x.json' has 8 bytes" in caplog.text
