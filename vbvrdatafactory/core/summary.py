"""A report for a run page: the answer first, what is incomplete before what is whole, never more than a page holds.

Prefect keeps an artifact well up to about a megabyte; 300 generators take 60 KB here.
"""

from collections.abc import Iterable, Sequence

from vbvrdatafactory.core.ranges import describe
from vbvrdatafactory.core.report import FailureTally, Report, Tally

_TABLE_ROWS, _FAILURE_ROWS, _GENERATOR_ROWS = 2000, 60, 30
_LONGEST_DETAIL = 300
_NUMBERS = ("expected", "whole", "torn", "missing", "stray", "percent")


def completeness_rows(report: Report) -> list[dict[str, str | int | float]]:
    """The total, then the generators that lack most, then those that are whole, by name."""
    rows = [report.total, *sorted(report.generators, key=lambda tally: (-_lacking(tally), tally.generator))]
    return [
        {"generator": row.generator, **{name: getattr(row, name) for name in _NUMBERS}}
        for row in rows[: _TABLE_ROWS + 1]
    ]


def to_summary(report: Report, places: Sequence[str]) -> str:
    """The answer, where the full report lies, why samples are missing, and in which generators, as Markdown."""
    where = [f"Full report: {' or '.join(places)}"] if places else []
    lines = [f"**{report.headline}**", report.run_line, *_foreign(report), *where]
    parts = ["\n\n".join(line for line in lines if line), _failures(report), _incomplete(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _failures(report: Report) -> str:
    if not report.failures:
        return ""
    rows = [(f.generator, f.cause, f"{f.count:,}", _code(f)) for f in report.failures[:_FAILURE_ROWS]]
    head = ("generator", "cause", "failed attempts", "the latest said")
    return _table("Why samples are missing", head, rows, len(report.failures))


def _incomplete(report: Report) -> str:
    tallies = [tally for tally in report.generators if _lacking(tally)]
    tallies.sort(key=lambda tally: (-_lacking(tally), tally.generator))
    rows = [
        (t.generator, f"{_lacking(t):,} of {t.expected:,}", describe(t.gaps))
        for t in tallies[:_GENERATOR_ROWS]
    ]
    head = ("generator", "missing or torn", "indices")
    return _table("Incomplete generators", head, rows, len(tallies)) if rows else ""


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], there_are: int) -> str:
    lines = [f"### {title}", "", _row(head), _row("---" for _ in head), *map(_row, rows)]
    if more := there_are - len(rows):
        lines += ["", f"And {more:,} more rows in the full report."]
    return "\n".join(lines)


def _foreign(report: Report) -> list[str]:
    notes = []
    if report.unrecognised:
        notes.append(f"{report.unrecognised:,} entries under questions/ are no sample and no archive.")
    if report.strangers:
        notes.append(f"{report.strangers:,} generators in the bucket are not in the plan.")
    return notes


def _lacking(tally: Tally) -> int:
    return tally.missing + tally.torn


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(failure: FailureTally) -> str:
    """What a generator said, as it can neither break the table nor fill the page; its end says most."""
    text = " ".join(failure.detail.split()).replace("|", "\\|").replace("`", "'")
    short = text if len(text) <= _LONGEST_DETAIL else f"… {text[-_LONGEST_DETAIL:]}"
    return f"`{short}`" if short else ""
