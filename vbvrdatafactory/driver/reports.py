"""Reports: made from what was observed, filed in the bucket, copied to a folder; and why samples are missing."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.records import BandRecord, FailureRecord
from vbvrdatafactory.driver.pictures import pick
from vbvrdatafactory.planning.evidence import Evidence, FailedAttempt
from vbvrdatafactory.planning.gaps import Gap, Observation
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.report.build import failures_in, make_report, tally_failures
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.html import to_html
from vbvrdatafactory.report.tallies import FailureTally
from vbvrdatafactory.s3 import reading
from vbvrdatafactory.s3.listing import sizes
from vbvrdatafactory.s3.records import READ_THREADS, parse, read_if_valid, write_text

REPORT_JSON, REPORT_MARKDOWN, REPORT_HTML = "report.json", "report.md", "report.html"


def write_report(store: ObjectStore, report: Report, samples: ObjectStore | None = None) -> None:
    """File the report as JSON, Markdown and a page to look at: as the latest and, of a run, under that run.

    `samples` is where the dataset's samples lie, if that is below a prefix.
    """
    page = to_html(
        report, pick(samples or store, [tally.generator for tally in report.generators if tally.whole])
    )
    texts = {
        REPORT_MARKDOWN: report.to_markdown(),
        REPORT_HTML: page,
        REPORT_JSON: report.model_dump_json(indent=1) + "\n",
    }
    for name, text in texts.items():
        if report.run:
            write_text(store, keys.run_file(report.dataset, report.run_name, name), text)
        write_text(store, keys.dataset_file(report.dataset, name), text)


def copy_report(store: ObjectStore, dataset: str, folder: Path) -> Path:
    """Bring the dataset's latest report to `folder`, and of a run to ``runs/`` in it, too; returns the latest page."""
    texts = {
        name: reading.read(store, keys.dataset_file(dataset, name)).data
        for name in (REPORT_JSON, REPORT_MARKDOWN, REPORT_HTML)
    }
    report = parse(texts[REPORT_JSON], keys.dataset_file(dataset, REPORT_JSON), Report)
    for place in (folder, *([folder / "runs" / report.run_name] if report.run else ())):
        place.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (place / name).write_bytes(text)
    return folder / REPORT_HTML


def explain_failures(store: ObjectStore, evidence: Evidence, gaps: Iterable[Gap]) -> list[FailureTally]:
    """Failures in what is still missing, counted, each with what its latest record said: one read a row."""
    gaps = list(gaps)
    latest = {(f.key.generator, f.key.cause): f for f in failures_in(evidence, gaps)}
    return [
        tally.model_copy(update={"detail": detail_of(store, latest[tally.generator, tally.cause])})
        for tally in tally_failures(evidence, gaps)
    ]


def detail_of(store: ObjectStore, failed: FailedAttempt) -> str:
    """What a failure record says in one line, with the last line of stderr; empty where it can't be read."""
    record = read_if_valid(store, keys.failure(failed.key), FailureRecord)
    if record is None:
        return ""
    lines = record.stderr_tail.strip().splitlines()
    return f"{record.detail}: {lines[-1]}" if lines and lines[-1] not in record.detail else record.detail


def build_report(store: ObjectStore, plan: Plan, seen: Observation, bucket: str) -> Report:
    """The dataset's completeness as it was seen, dated now, and why what is missing is: all but what a run did.

    Args:
        store: where the dataset's samples lie.
        plan: the dataset's plan.
        seen: what a listing showed.
        bucket: the bucket's name, for people.
    """
    made = make_report(plan, seen, at=datetime.now(UTC), bucket=bucket)
    failures = explain_failures(store, seen.evidence, seen.gaps)
    return made.model_copy(update={"failures": failures, "bands": find_bands(store, plan)})


def find_bands(store: ObjectStore, plan: Plan) -> list[BandRecord]:
    """The bands of the plan's generators that do not hold their samples to an end of their videos, by generator."""
    parsed = [(keys.parse_band(key), key) for key, _ in sizes(store, keys.BANDS)]
    there = [(name, key) for name, key in parsed if name and name.generator in plan.generators]
    renewed = {name[:2] for name, _ in there if not name.is_of_before}
    filed = [key for name, key in there if not name.is_of_before or name[:2] not in renewed]
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as pool:
        found = pool.map(lambda key: read_if_valid(store, key, BandRecord), filed)
        return [
            record
            for record in found
            if record and any(end and not end.is_held for end in (record.band.start, record.band.end))
        ]
