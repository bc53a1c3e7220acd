"""A stranger's text is text, wherever it is shown."""

import logging
import re
import sys
import unicodedata
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.control.queue_watch import QueueStatus
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.escaping import (
    TerminalFormatter,
    code_for_markdown,
    for_html,
    for_markdown,
    for_terminal,
)
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.html import Picture, to_html
from vbvrdatafactory.report.live import RunProgress, RunSnapshot
from vbvrdatafactory.report.markdown import to_summary
from vbvrdatafactory.report.run_figures import Broken, RunFigures
from vbvrdatafactory.report.tallies import COLUMNS, FailureTally, Tally
from vbvrdatafactory.sqs.depth import Depth

HOSTILE = [
    "\x1b[31mred\x1b]0;title\x07 \x9b2J",
    "\u202egnp.exe \u2066\u200f\ufeff",
    "two\nlines\r\nRESULT expected=0\u2028more\x0b",
    "![x](https://evil.example/p.png) [l](javascript:alert(1)) [r]: https://evil.example",
    "<img src=https://evil.example/p.png onerror=alert(1)><!-- <script>alert(1)</script>",
    "https://evil.example www.evil.example a@evil.example <https://evil.example> @everyone <!channel>",
    "a | b \\| c \\\\| d",
    "``` `code` ~~~ \\`",
    "# h", "- l", "+ l", "1. l", "2) l", "> q", "---", "===", "    code", "&lt;&#60;&amp;",
    "*a* **b** _c_ __d__ ~~e~~ $f$", "[red]markup[/red] :smile:", "back\\", "\udc80 lone", "'\"`$at$`\"'",
]  # fmt: skip
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

# Mostly what means something to somebody.
texts = st.text(
    st.sampled_from("\\`*_[]()|~!#$<>&'\":/.@-+= \n\r\t\x1b\x9b\u202e\u200d1aé") | st.characters(),
    max_size=40,
) | st.sampled_from(HOSTILE)


class Page(HTMLParser):
    """What a browser makes of a piece of HTML: its tags, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.comments: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def is_visible(text: str, keep: str = "") -> bool:
    return all(
        unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        for c in text
        if c not in f"\u200c\u200d{keep}"
    )


@given(texts)
def test_nothing_reaches_a_terminal_but_what_is_seen(text: str) -> None:
    """No control, no turned text, no second line; and it can be written in UTF-8."""
    shown = for_terminal(text)
    assert is_visible(shown)
    shown.encode()
    assert is_visible(for_terminal(text, keep="\n\t"), keep="\n\t")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=40))
def test_what_people_write_stays_as_it_is(text: str) -> None:
    """Every letter, sign and emoji of every script; joiners too."""
    assert for_terminal(f"{text}👩\u200d🔬") == f"{text}👩\u200d🔬"


@given(texts)
def test_markdown_shows_the_text_itself(text: str) -> None:
    """In a paragraph, a list, bold type and a table's cell a Markdown parser finds no mark, no HTML and no link."""
    shown = for_markdown(text)
    plain = " ".join(for_terminal(" ".join(text.split())).split())
    for before, after, tags in (
        ("", "", {"p"}),
        ("- ", "", {"ul", "li"}),
        ("**x ", " x**", {"p", "strong"}),
        ("| h |\n|---|\n| ", " |", {"table", "thead", "tbody", "tr", "th", "td"}),
    ):
        page = Page(PARSER.render(f"{before}{shown}{after}\n"))
        assert set(page.tags) <= tags
        found = page.text.replace("\u200b", "")
        if plain:
            assert plain in " ".join(found.split())
        assert page.comments == []


@given(texts)
def test_nothing_links_by_itself(text: str) -> None:
    """Addresses, mail addresses and mentions are taken apart, as each dialect links them in its own way."""
    shown = for_markdown(text).lower()
    assert "://" not in shown
    assert "www." not in shown
    assert re.findall("@(?!\u200b)", shown) == []
    assert not {"<", ">"} & set(shown)


@given(texts)
def test_a_code_span_holds_all_of_it(text: str) -> None:
    """Nothing ends it early, in a line and in a table's cell, whatever bars and backticks are in it."""
    shown = code_for_markdown(text)
    if not shown:
        assert not text.split()
        return
    line = Page(PARSER.render(f"x {shown} y\n"))
    assert line.tags == ["p", "code"]
    cell = PARSER.render(f"| a | b |\n|---|---|\n| {shown} | end |\n")
    assert "<td>end</td>" in cell
    assert Page(cell).tags.count("td") == 2


@given(texts)
def test_html_shows_the_text_itself(text: str) -> None:
    """Between tags and in an attribute, a browser finds the text and nothing else."""
    shown = for_html(text)
    assert Page(f"<b>{shown}</b>").tags == ["b"]
    assert Page(f'<b title="{shown}">x</b>').attributes == ["title"]
    assert unescape(shown) == for_terminal(text, keep="\n\t")


def test_a_log_keeps_the_lines_of_a_traceback() -> None:
    """And nothing else that steers a terminal, in message, arguments or exception."""
    formatter = TerminalFormatter("%(name)s: %(message)s")
    record = logging.LogRecord("x", logging.INFO, "f", 1, "said %s", ("\x1b[2J",), None)
    assert formatter.format(record) == "x: said \\x1b[2J"
    try:
        compile("\x1b]0;t\x07", "\x1b[2J", "exec")
    except SyntaxError:
        record = logging.LogRecord("x", logging.INFO, "f", 1, "m", (), sys.exc_info())
    assert is_visible(formatter.format(record), keep="\n")
    assert len(formatter.format(record).splitlines()) > 2


# The real outlets, each fed with all of it.


@pytest.fixture(params=HOSTILE)
def report(request: pytest.FixtureRequest) -> Report:
    """A report in which everything that strangers say is hostile."""
    said: str = request.param
    return Report(
        dataset="spring",
        at=datetime(2026, 1, 15, tzinfo=UTC),
        generators=[Tally(generator=said, expected=10, whole=5, torn=0, gaps=((5, 10),))],
        unrecognised=1,
        unrecognised_example=said,
        failures=[FailureTally(generator=said, cause=Cause.CRASH, count=1, detail=said)],
        run=RunFigures(broken=(Broken(generator=said, cause=Cause.CRASH, detail=said),)),
    )


def test_a_report_in_markdown_is_inert(report: Report) -> None:
    """The filed report and the run page's summary have the tags that they have without strangers, and no other."""
    for text in (report.to_markdown(), to_summary(report, ["`place`"])):
        page = Page(PARSER.render(text))
        assert set(page.tags) <= {
            "p", "strong", "code", "ul", "li", "h3", "table", "thead", "tbody", "tr", "th", "td",
        }  # fmt: skip
        assert page.attributes == []
        assert is_visible(text, keep="\n\u200b")
        prose = "".join(text.split("`")[::2])
        assert "://" not in prose


def test_a_report_in_markdown_keeps_its_table(report: Report) -> None:
    """One row a generator, whatever is in its name."""
    page = PARSER.render(report.to_markdown())
    figures, failures = page.split("</table>")[:2]
    assert (figures.count("<tr>"), failures.count("<tr>")) == (3, 2)
    assert (figures.count("<td"), failures.count("<td")) == (2 * len(COLUMNS), 4)


def test_the_page_is_inert(report: Report) -> None:
    """No tag, no attribute and no comment that is not the page's own."""
    harmless = report.model_copy(
        update={
            "generators": [report.generators[0].model_copy(update={"generator": "A"})],
            "failures": [report.failures[0].model_copy(update={"generator": "A", "detail": "d"})],
            "unrecognised_example": "e",
            "run": RunFigures(broken=(Broken(generator="A", cause=Cause.CRASH, detail="d"),)),
        }
    )
    said = report.unrecognised_example
    hostile_page = to_html(report, [Picture(said, b"png", None, said)])
    page, like = Page(hostile_page), Page(to_html(harmless, [Picture("A", b"png", None, "Go.")]))
    assert (page.tags, page.attributes, page.comments) == (like.tags, like.attributes, [])
    assert is_visible(hostile_page, keep="\n\t")


@pytest.mark.parametrize("said", HOSTILE)
def test_the_live_page_is_inert(said: str) -> None:
    """The reason that somebody gave for a pause is shown as it was given."""
    pause = str(PauseState(paused=True, reason=said, by=said, at=datetime(2026, 1, 15, tzinfo=UTC)))
    text = RunProgress(10).to_markdown(
        RunSnapshot(QueueStatus.PAUSED, 0, Depth(1, 0, 0), note=pause), 1.0, datetime(2026, 1, 15, tzinfo=UTC)
    )
    page = Page(PARSER.render(text))
    # The parser shows no picture that comes as data, which is what the chart is.
    assert set(page.tags) <= {"p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
