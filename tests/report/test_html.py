"""The report as one file that needs nothing else."""

import re
from base64 import b64decode
from datetime import UTC, datetime
from html.parser import HTMLParser

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.html import Picture, to_html
from vbvrdatafactory.report.run_figures import Broken, RunFigures
from vbvrdatafactory.report.tallies import FailureTally, Tally

HOSTILE = "<script>alert('$at')</script>"
HALF = Tally(generator="A", expected=10, whole=5, torn=1, gaps=(IndexRange(5, 10),))


def page_of(tally: Tally = HALF, *pictures: Picture, detail: str = "exit code 1") -> str:
    failures = [FailureTally(generator="A", cause=Cause.CRASH, count=3, detail=detail)]
    report = Report(dataset="spring", at=datetime(2026, 1, 15, tzinfo=UTC), bucket="b", generators=[tally])
    return to_html(
        report.with_run(RunFigures(messages=1, rounds=1, samples=5, seconds=5), failures), pictures
    )


def test_the_page_holds_the_answer_the_tally_and_the_reasons() -> None:
    """Headline, figures, what failed, what is lacking."""
    page = page_of()
    assert "spring is incomplete: 5 of 10 samples are missing or torn." in page
    for shown in ("<td>50.00 %</td>", "<td>crash</td>", "exit code 1", "A: 5-9", "5 samples in 5.0 s"):
        assert shown in page


def test_a_complete_dataset_has_no_sections_of_what_is_wrong() -> None:
    """Nothing is missing, so nothing is said to be."""
    report = Report(
        dataset="spring",
        at=datetime(2026, 1, 15, tzinfo=UTC),
        generators=[Tally(generator="A", expected=9, whole=9, torn=0)],
    )
    assert not re.search("Missing or torn|Why samples|One sample", to_html(report))


def test_what_generators_wrote_cannot_run() -> None:
    """Prompts and stderr are text, whatever is in them."""
    page = page_of(HALF, Picture("A", b"png", None, HOSTILE), detail=HOSTILE)
    assert "<script" not in page
    assert page.count("alert(&#x27;$at&#x27;)") == 2


def test_pictures_travel_inside_the_page() -> None:
    """First and final frame as data; a sample without a final frame shows the one it has."""
    page = page_of(HALF, Picture("A", b"one", b"two", "Go."), Picture("B", b"three", None, "Stop."))
    shown = [b64decode(data) for data in re.findall(r"base64,([^\"]+)", page)]
    assert shown == [b"one", b"two", b"three"]


def test_the_page_asks_nobody_for_anything() -> None:
    """No script, style, font or image from elsewhere: it opens from a disk."""
    linked: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            linked.extend(value or "" for name, value in attrs if name in ("src", "href"))

    Links().feed(page_of(HALF, Picture("A", b"one", None, "Go.")))
    assert [link[:5] for link in linked] == ["data:"]


def test_what_a_skipped_generator_wrote_to_stderr_is_there_to_read() -> None:
    """Line by line, as text."""
    broken = Broken(generator=HOSTILE, cause=Cause.CRASH, stderr_tail=f"Traceback:\n  {HOSTILE}")
    report = Report(dataset="spring", at=datetime(2026, 1, 15, tzinfo=UTC), generators=[HALF])
    page = to_html(report.with_run(RunFigures(broken=(broken,)), []))
    assert "<pre>Traceback:\n" in page
    assert "<script>" not in page
    assert "stderr" not in page_of()
