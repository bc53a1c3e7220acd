"""The report counts honestly: nothing rounds up to complete."""

import json
import re
from datetime import UTC, datetime
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from vbvrdatafactory.cli.completeness import tally_table
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.distinct import Distinct
from vbvrdatafactory.planning.evidence import Evidence
from vbvrdatafactory.planning.gaps import Gap, Observation, find_gaps
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.report.build import make_report, tally_failures
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.html import to_html
from vbvrdatafactory.report.markdown import completeness_rows, to_summary
from vbvrdatafactory.report.run_figures import Broken, EndedEarly, Reason, RunFigures
from vbvrdatafactory.report.tallies import DeadLetterTally, FailureTally, Tally

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
indices = st.sets(st.integers(0, 50))


def report_of(
    whole: dict[str, set[int]], torn: dict[str, set[int]] | None = None, samples: int = 30
) -> Report:
    """The report of a dataset of generators A and B, with these indices there."""
    inventory = Inventory()
    for found, files in ((whole, ("first_frame.png", "prompt.txt")), (torn or {}, ("prompt.txt",))):
        for generator, present in found.items():
            folders = [keys.sample_folder(keys.SampleFolder(generator, "t", i)) for i in sorted(present)]
            inventory.add((f"{folder}/{name}", 1) for folder in folders for name in files)
    plan = Plan(make_spec(dataset="spring", generators=["A", "B"], samples=samples, batch_size=10))
    return make_report(plan, Observation(inventory, find_gaps(plan, inventory)), at=NOON, bucket="bucket")


@given(indices, indices, indices)
def test_expected_is_whole_and_torn_and_missing(a: set[int], b: set[int], torn: set[int]) -> None:
    """Every planned sample is counted once, for each generator and in total."""
    report = report_of({"A": a, "B": b}, {"A": torn})
    for tally in [*report.generators, report.total]:
        assert tally.expected == tally.whole + tally.torn + tally.missing
    assert report.total.expected == 60
    assert report.total.whole == sum(i < 30 for found in (a, b) for i in found)
    assert report.total.stray == sum(i >= 30 for found in (a | torn, b) for i in found)
    assert report.complete is (set(range(30)) <= a and set(range(30)) <= b)


@given(st.integers(1, 10**9), st.data())
def test_percent_is_100_only_when_nothing_is_lacking(expected: int, data: st.DataObject) -> None:
    """One sample short of a billion reads 99.99, never 100."""
    whole = data.draw(st.integers(max(0, expected - 3), expected))
    tally = Tally(generator="G", expected=expected, whole=whole, torn=0)
    assert (tally.percent == 100) is (whole == expected)
    assert ("100.00 %" in tally.cells) is (whole == expected)


def test_one_short_of_a_million_is_named() -> None:
    """A headline in words: complete, or how many are lacking."""
    short = Report(
        dataset="spring", at=NOON, generators=[Tally(generator="A", expected=10**6, whole=10**6 - 1, torn=0)]
    )
    assert short.total.percent == 99.99
    assert short.headline == "spring is incomplete: 1 of 1,000,000 samples are missing or torn."
    full = report_of({"A": set(range(30)), "B": set(range(30))})
    assert full.headline == "spring is complete: 60 of 60 samples are whole."


def test_a_stray_does_not_make_up_for_a_missing_sample() -> None:
    """Sixty samples are there, one of them beyond the plan: not complete."""
    report = report_of({"A": {*range(29), 40}, "B": set(range(30))})
    assert (report.complete, report.total.missing, report.total.stray) == (False, 1, 1)


def test_the_result_line_is_exact() -> None:
    """Scripts read the last line."""
    ninety = [Tally(generator=g, expected=30, whole=30, torn=0) for g in "ABC"]
    report = Report(dataset="spring", at=NOON, generators=ninety).with_run(RunFigures(messages=9), [])
    assert (
        report.result_line == "RESULT expected=90 whole=90 torn=0 missing=0 messages=9 other_seed=0 right=0"
    )
    looked = report_of({"A": set(range(5))}, {"A": {7}})
    assert (
        looked.result_line == "RESULT expected=60 whole=5 torn=1 missing=54 messages=0 other_seed=0 right=0"
    )


def test_the_json_comes_back_and_holds_the_ranges() -> None:
    """The report file has what the table leaves out: which indices are lacking."""
    report = report_of({"A": set(range(10, 30)), "B": set(range(30))}, {"A": {3}})
    assert Report.model_validate_json(report.model_dump_json()) == report
    shown = json.loads(report.model_dump_json())
    assert shown["generators"][0]["gaps"] == [[0, 10]]
    assert (shown["total"]["missing"], shown["generators"][0]["percent"]) == (9, 66.67)


def test_the_table_renders() -> None:
    """A row for each generator and a total, with what is lacking in it."""
    console = Console(record=True, width=120, file=StringIO())
    console.print(tally_table(report_of({"A": set(range(30)), "B": set(range(15))}, {"B": {15}})))
    text = console.export_text()
    assert "spring is incomplete: 15 of 60 samples" in text
    assert re.findall(r"[\d.]+ %", text) == ["100.00 %", "50.00 %", "75.00 %"]


def test_the_markdown_shows_the_answer_the_tally_and_the_gaps() -> None:
    """One row a generator and a total; ranges, never a list of ids."""
    text = report_of({"A": set(range(30)), "B": set(range(0, 30, 2))}).to_markdown()
    assert text.startswith("**spring is incomplete: 15 of 60 samples are missing or torn.**\n")
    assert "| A | 30 | 30 | 0 | 0 | 0 | 0 | 100.00 % |" in text
    assert "| total | 60 | 45 | 0 | 0 | 15 | 0 | 75.00 % |" in text
    assert "- B: 1, 3, 5, 7, 9, 11, 13, 15 and 7 more ranges" in text


def repeating(*known: tuple[int, int]) -> Report:
    """A report of whole generators A, B, …, of which so many of so many samples are distinct."""
    tallies = [
        Tally(
            generator=chr(ord("A") + n),
            expected=30,
            whole=30,
            torn=0,
            distinct=Distinct(distinct=distinct, known=samples, can_make=distinct + 5),
        )
        for n, (distinct, samples) in enumerate(known)
    ]
    return Report(dataset="spring", at=NOON, generators=tallies)


def test_a_generator_that_repeats_itself_is_named_everywhere() -> None:
    """In the table, the Markdown, the page and the summary; the dataset is no less complete for it."""
    report = repeating((10, 200), (30, 30), (0, 0))
    line = (
        "A repeats itself: 10 of 200 samples are distinct, and it can make 15 at least (Chao1's estimate), fewer than the "
        "30 asked for."
    )
    assert report.repeats == [line]
    assert (report.complete, report.verdict) == (True, report.headline)
    for text in (report.to_markdown(), to_html(report), to_summary(report, [])):
        assert line in text.replace("&#x27;", "'").replace("&#39;", "'")
        assert "B repeats" not in text
    assert "| A | 30 | 30 | 0 | 0 | 0 | 0 | 100.00 % | 10 of 200 |" in report.to_markdown()
    assert [row["distinct"] for row in completeness_rows(report)] == [
        "40 of 230",
        "10 of 200",
        "30 of 30",
        "-",
    ]


def test_many_that_repeat_themselves_are_counted() -> None:
    """Twenty are named, the others are a number."""
    assert repeating(*[(1, 2)] * 25).repeats[-1] == "5 more generators repeat themselves."


def test_a_report_from_before_is_read() -> None:
    """One that says nothing of distinct samples knows nothing of them."""
    before = json.loads(repeating((10, 200)).model_dump_json())
    del before["generators"][0]["distinct"]
    assert str(Report.model_validate(before).total.distinct) == "-"


def test_the_markdown_of_failures_cannot_break_its_table() -> None:
    """What a generator wrote to stderr may hold bars, backticks and newlines."""
    failure = FailureTally(generator="A", cause=Cause.CRASH, count=1200, detail="a | b `c`\nd")
    text = report_of({}).with_run(RunFigures(), [failure]).to_markdown()
    assert "| A | crash | 1,200 | `a ¦ b 'c' d` |" in text


def test_foreign_things_are_noted() -> None:
    """Generators the plan does not name, and files that are no sample, are counted and said."""
    inventory = Inventory()
    inventory.add([("questions/README.md", 1), ("questions/C_00000-00009.tar.gz", 1)])
    plan = Plan(make_spec(generators=["A"], samples=10))
    report = make_report(plan, Observation(inventory, find_gaps(plan, inventory)), at=NOON)
    assert (report.strangers, report.unrecognised) == (1, 1)
    assert "1 entries under questions/ are no sample" in report.to_markdown()
    assert "1 generators in the bucket are not in the plan" in report.to_markdown()


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        (None, ""),
        (
            RunFigures(messages=9, rounds=1, samples=90, seconds=30),
            "90 samples in 30.0 s (3.0 samples/s), 9 messages in 1 round.",
        ),
        (
            RunFigures(messages=1200, rounds=2, samples=0, seconds=0),
            "0 samples in 0.0 s (0.0 samples/s), 1,200 messages in 2 rounds.",
        ),
    ],
)
def test_a_run_says_what_it_did(figures: RunFigures | None, line: str) -> None:
    """Samples, seconds, rate, messages, rounds; a report without a run says nothing of one."""
    report = report_of({})
    assert (report.with_run(figures, []) if figures else report).run_line == line


def test_a_run_that_sent_nothing_says_why() -> None:
    """Nothing was missing only where nothing was missing."""
    idle = RunFigures(seconds=2)
    full = report_of({"A": set(range(30)), "B": set(range(30))}).with_run(idle, [])
    assert full.run_line == "Nothing was missing: no message was sent (2.0 s)."
    assert report_of({}).with_run(idle, []).run_line == "No message was sent (2.0 s)."


def failure(start: int, cause: Cause, attempt: int, generator: str = "A") -> tuple[str, datetime]:
    key = keys.FailureKey(generator, IndexRange(start, start + 10), 0, attempt, cause)
    return keys.failure(key), NOON


def test_failures_are_counted_by_generator_and_cause_where_something_is_missing() -> None:
    """Attempts in what is there by now are history; the most frequent comes first."""
    listing = [failure(0, Cause.CRASH, 1), failure(10, Cause.DEADLINE, 1), failure(10, Cause.DEADLINE, 2)]
    listing += [failure(20, Cause.MEMORY, 1), failure(0, Cause.UPLOAD, 1, "B")]
    gaps = [Gap("A", (IndexRange(5, 12),)), Gap("B", (IndexRange(50, 60),))]
    assert tally_failures(Evidence(listing), gaps) == [
        FailureTally(generator="A", cause=Cause.DEADLINE, count=2),
        FailureTally(generator="A", cause=Cause.CRASH, count=1),
    ]


def ended_early(broken: int = 1) -> Report:
    """A run that gave generators up and ended early."""
    figures = RunFigures(
        messages=9,
        queued=1234,
        broken=tuple(Broken(generator=f"G-{n}", cause=Cause.CRASH, detail="no font.") for n in range(broken)),
        dead_letters=(
            DeadLetterTally(generator="A", cause=Cause.CRASH, count=3),
            DeadLetterTally(generator="B", cause=Cause.CRASH, count=1000),
            DeadLetterTally(generator="B", cause=Cause.DISK, count=7),
        ),
        early=EndedEarly(reason=Reason.STALLED, detail="nobody took any", next_move="enable it"),
    )
    return report_of({"A": {0}}).model_copy(update={"run": figures})


def test_a_run_that_ended_early_says_why_what_is_left_and_what_to_do() -> None:
    """The answer comes first; then the reason with the next move, the queue, the letters and the generators."""
    report = ended_early()
    assert report.verdict == (
        f"{report.headline} It ended early (stalled): nobody took any; enable it. "
        "1,234 messages are still in the queue; the next run waits for them. "
        "Dead letters that were filed in the bucket: 1,003 crash, 7 disk. "
        "G-0 was skipped for the rest of the run: crash; no font."
    )
    assert all(remark in report.to_markdown() for remark in report.run.remarks)


def test_many_generators_that_were_given_up_are_counted() -> None:
    """The line of a run's state stays one for a person to read."""
    assert ended_early(broken=300).verdict.endswith("290 more generators were skipped.")


def test_a_complete_dataset_is_just_complete() -> None:
    """What went wrong on the way does not hide the answer."""
    whole = {name: set(range(30)) for name in ("A", "B")}
    report = report_of(whole).model_copy(update={"run": ended_early().run})
    assert report.verdict == report.headline
