"""What is published of a report: the answer first, the worst first, and never too much."""

import json
from datetime import UTC, datetime

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.markdown import completeness_rows, to_summary
from vbvrdatafactory.report.run_figures import RunFigures
from vbvrdatafactory.report.tallies import FailureTally, Tally

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
MEGABYTE = 2**20


def report_of(lacking: dict[int, int], generators: int, **more: object) -> Report:
    """A report of so many generators of 10,000 samples, where some lack some."""
    tallies = [
        Tally(
            generator=f"G-{n:03}_task_data-generator",
            expected=10_000,
            whole=10_000 - lacking.get(n, 0),
            torn=0,
            gaps=tuple(IndexRange(2 * i, 2 * i + 1) for i in range(lacking.get(n, 0))),
        )
        for n in range(generators)
    ]
    return Report(dataset="spring", at=NOON, bucket="bucket", generators=tallies, **more)  # type: ignore[arg-type]


def failures(number: int, detail: str = "exit code 1: No module named 'shapely'") -> list[FailureTally]:
    return [
        FailureTally(generator=f"G-{n:03}_task_data-generator", cause=Cause.CRASH, count=n + 1, detail=detail)
        for n in range(number)
    ]


def test_the_first_line_is_the_answer() -> None:
    """Then what the run did, and where the full report lies."""
    report = report_of({3: 25}, 5, run=RunFigures(messages=1, rounds=1, samples=10, seconds=5.0))
    lines = to_summary(report, ["`s3://bucket/report.html`"]).splitlines()
    assert lines[0] == "**spring is incomplete: 25 of 50,000 samples are missing or torn.**"
    assert lines[2].startswith("10 samples in 5.0 s")
    assert "Full report: `s3://bucket/report.html`" in lines


def test_the_table_has_the_total_first_and_the_worst_next() -> None:
    """Of 300 generators, those that lack something are on the first screen."""
    rows = completeness_rows(report_of({7: 5, 299: 10_000, 12: 125}, 300))
    assert [row["generator"][:5] for row in rows[:5]] == ["total", "G-299", "G-012", "G-007", "G-000"]
    assert (len(rows), rows[0]["whole"], rows[0]["percent"]) == (301, "2,989,870", "99.66 %")


def test_failures_are_told_with_the_last_line_of_stderr() -> None:
    """By generator and cause, in one line each."""
    text = to_summary(report_of({0: 1}, 2, failures=failures(1)), [])
    assert (
        "- **G-000_task_data-generator**: crash, 1 failed attempts; the latest said "
        "`exit code 1: No module named 'shapely'`" in text
    )


def test_what_a_generator_said_cannot_break_the_page() -> None:
    """Newlines and backticks are taken out, and of a flood the end is kept."""
    detail = f"{'x' * 5000}\n\n# `the` end"
    text = to_summary(report_of({0: 1}, 2, failures=failures(1, detail)), [])
    assert "x # 'the' end`" in text
    assert len(text) < 1000


def test_the_worst_report_stays_readable_and_below_a_megabyte() -> None:
    """300 generators, all incomplete in hundreds of holes, all failing loudly: tens of kilobytes."""
    report = report_of(dict.fromkeys(range(300), 400), 300, failures=failures(300, "é" * 4000))
    summary, table = to_summary(report, ["`here`"]), json.dumps(completeness_rows(report))
    assert len(summary.encode()) < 60_000
    assert len(table) < 60_000
    assert "And 240 more in the full report." in summary
    assert "And 270 more in the full report." in summary


def test_even_ten_thousand_generators_fit() -> None:
    """The table ends before Prefect's megabyte does."""
    rows = completeness_rows(report_of({}, 10_000))
    assert len(json.dumps(rows)) < MEGABYTE


def test_a_complete_dataset_has_nothing_to_explain() -> None:
    """The answer and no empty headings."""
    text = to_summary(report_of({}, 3), [])
    assert text == "**spring is complete: 30,000 of 30,000 samples are whole.**\n"


def test_foreign_things_are_noted() -> None:
    """What is no sample, and who is not planned."""
    text = to_summary(report_of({}, 1, strangers=2, unrecognised=3), [])
    assert "3 entries under questions/ are no sample" in text
    assert "2 generators in the bucket are not in the plan" in text
