"""A report for a run's page in the Prefect UI: incomplete generators first, and limited in size.

Prefect shows artifacts of up to about a megabyte; 300 generators take 60 KB here.
"""

from collections.abc import Iterable, Sequence

from vbvrdatafactory.core.escaping import code_for_markdown, for_markdown
from vbvrdatafactory.core.ranges import describe
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.tallies import COLUMNS, FailureTally, Tally

_TABLE_ROWS, _FAILURES, _GENERATORS, _REMARKS = 2000, 60, 30, 20
_LONGEST_DETAIL = 200


def completeness_rows(report: Report) -> list[dict[str, str]]:
    """A row for the total, then one for each generator: those with most samples missing first, complete ones by name."""
    rows = [report.total, *_worst_first(report.generators)[:_TABLE_ROWS]]
    return [dict(zip(COLUMNS, row.cells, strict=True)) for row in rows]


def to_summary(report: Report, places: Sequence[str]) -> str:
    """Headline, links to the full report, causes of missing samples and incomplete generators, as Markdown.

    Args:
        report: the report.
        places: links to the full report, as Markdown.
    """
    where = [f"Full report: {' or '.join(places)}"] if places else []
    lines = [f"**{for_markdown(report.headline)}**", report.run_line, *_remarks(report), *where]
    parts = ["\n\n".join(line for line in lines if line), _failures(report), _incomplete(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _failures(report: Report) -> str:
    """A list: the UI would cut long error messages in a table."""
    shown = report.failures[:_FAILURES]
    lines = [
        f"- **{for_markdown(f.generator)}**: {f.cause}, {f.count:,} failed attempts{_said(f)}" for f in shown
    ]
    return _section("Why samples are missing", lines, len(report.failures)) if lines else ""


def _incomplete(report: Report) -> str:
    tallies = _worst_first(tally for tally in report.generators if _lacking(tally))
    rows = [
        (for_markdown(t.generator), f"{_lacking(t):,} of {t.expected:,}", describe(t.gaps))
        for t in tallies[:_GENERATORS]
    ]
    head = ("generator", "missing or torn", "indices")
    lines = [_row(head), _row("---" for _ in head), *map(_row, rows)]
    return _section("Incomplete generators", lines, len(tallies) + 2) if rows else ""


def _section(title: str, lines: Sequence[str], there_are: int) -> str:
    more = there_are - len(lines)
    left_off = ["", f"And {more:,} more in the full report."] if more else []
    return "\n".join([f"### {title}", "", *lines, *left_off])


def _worst_first(tallies: Iterable[Tally]) -> list[Tally]:
    return sorted(tallies, key=lambda tally: (-_lacking(tally), tally.generator))


def _remarks(report: Report) -> list[str]:
    notes = report.run.remarks[:_REMARKS] if report.run else []
    return [for_markdown(note) for note in (*notes, *report.content_notes, *report.repeats, *report.foreign)]


def _lacking(tally: Tally) -> int:
    return tally.missing + tally.torn


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _said(failure: FailureTally) -> str:
    """The error of the latest attempt; where it is long, its end, which is the most specific."""
    text = " ".join(failure.detail.split())
    short = text if len(text) <= _LONGEST_DETAIL else f"… {text[-_LONGEST_DETAIL:]}"
    return f"; the latest said {code_for_markdown(short)}" if short else ""
