"""Shows what a check of a generator found, on one screen."""

from collections.abc import Iterator

from vbvrdatafactory.core.checks import CheckReport, Finding

_MARKS = {"error": "✗", "warning": "!"}


def report_lines(report: CheckReport) -> Iterator[str]:
    """The report for a person, a line each; text of the generator's is escaped by whoever prints it."""
    if report.files:
        yield f"{report.generator}: {report.samples} samples in {report.seconds:.1f} s, each with {', '.join(report.files)}"
    else:
        yield f"{report.generator}:"
    for finding in report.findings:
        yield from _lines(finding)
    errors = sum(finding.severity == "error" for finding in report.findings)
    warnings = len(report.findings) - errors
    verdict = "keeps the contract" if report.passes else "does not keep the contract"
    yield f"{report.generator} {verdict}: {errors} errors, {warnings} warnings."


def _lines(finding: Finding) -> Iterator[str]:
    yield f"  {_MARKS[finding.severity]} {finding.rule}: {finding.text}"
    if finding.places:
        yield f"      at {', '.join(finding.places[:6])}"
    if finding.advice:
        yield f"      {finding.advice}"
