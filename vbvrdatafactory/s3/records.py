"""Our own records in the bucket: specs, receipts, failure records, reports. Read and written as models."""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.store import ObjectStore
from pydantic import BaseModel, ValidationError

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.evidence import Evidence, Failed
from vbvrdatafactory.core.gaps import Gap
from vbvrdatafactory.core.models import FailureRecord, Receipt, is_safe_name, safe_name
from vbvrdatafactory.core.page import to_page
from vbvrdatafactory.core.plan import DatasetSpec, Plan
from vbvrdatafactory.core.replan import holes
from vbvrdatafactory.core.report import FailureTally, Report, failures_in, tally_failures
from vbvrdatafactory.core.spec_changes import SpecChange, compare, refusal
from vbvrdatafactory.s3 import reading
from vbvrdatafactory.s3.listing import sizes, top
from vbvrdatafactory.s3.pictures import pick

log = logging.getLogger(__name__)

READ_THREADS = 32
SPEC, REPORT_JSON, REPORT_MARKDOWN, REPORT_PAGE = "spec.json", "report.json", "report.md", "report.html"

Model = TypeVar("Model", bound=BaseModel)

_CONTENT_TYPES = {
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}


def write_text(store: ObjectStore, key: str, text: str) -> None:
    """Put `text` at `key`."""
    kind = next((value for ending, value in _CONTENT_TYPES.items() if key.endswith(ending)), "text/plain")
    obstore.put(store, key, text.encode(), attributes={"Content-Type": kind})


def write(store: ObjectStore, key: str, model: BaseModel) -> None:
    """Put `model` at `key` as JSON."""
    write_text(store, key, model.model_dump_json(indent=1) + "\n")


def read(store: ObjectStore, key: str, kind: type[Model]) -> Model | None:
    """The model at `key`; None where there is none.

    Raises:
        DataFactoryError: what lies there is no `kind`, or does not come whole.
    """
    try:
        data = reading.read(store, key).data
    except FileNotFoundError:
        return None
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise DataFactoryError(f"{key} is no {kind.__name__}: {error.errors()[0]['msg']}") from error


def write_spec(
    store: ObjectStore, spec: DatasetSpec, *, replace: bool = False, at: datetime | None = None
) -> list[SpecChange]:
    """File what was asked for, so that gaps can be filled later without asking again.

    A spec that it takes the place of is kept.

    Args:
        store: the dataset's bucket.
        spec: what was asked for.
        replace: file it even where it makes another dataset of the one described under its name.
        at: now; default the clock's.

    Returns:
        How it differs from what was described before.

    Raises:
        Redefined: it would make another dataset of the one described, and `replace` is not set.
    """
    changes = compare_spec(store, spec)
    if not replace and any(change.redefines for change in changes):
        raise refusal(spec.dataset, changes)
    key = keys.dataset_file(spec.dataset, SPEC)
    if changes:
        obstore.copy(store, key, keys.former_spec(spec.dataset, at or datetime.now(UTC)))
    write(store, key, spec)
    return changes


def compare_spec(store: ObjectStore, spec: DatasetSpec) -> list[SpecChange]:
    """How `spec` differs from the one that the bucket describes under its name; one that can't be read differs."""
    try:
        before = read(store, keys.dataset_file(spec.dataset, SPEC), DatasetSpec)
    except DataFactoryError as error:
        return [SpecChange(str(error), redefines=True)]
    return compare(before, spec) if before else []


def read_spec(store: ObjectStore, dataset: str) -> DatasetSpec:
    """The spec of a dataset that was asked for before.

    Raises:
        DataFactoryError: there is none; the known datasets are named.
    """
    try:
        safe_name(dataset)
    except ValueError as error:
        raise DataFactoryError(f"no dataset can be called {error}") from error
    spec = read(store, keys.dataset_file(dataset, SPEC), DatasetSpec)
    if spec is None:
        known = ", ".join(list_datasets(store)) or "none"
        raise DataFactoryError(f"no dataset {dataset!r} is described in the bucket; described: {known}")
    return spec


def read_all_specs(store: ObjectStore) -> list[DatasetSpec]:
    """Every spec that the bucket holds, those of now before those of earlier; what can't be read is left out."""
    datasets = list_datasets(store)
    now = [keys.dataset_file(dataset, SPEC) for dataset in datasets]
    former = [key for dataset in datasets for key, _ in sizes(store, keys.former_specs(dataset))]
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as pool:
        found = pool.map(lambda key: read_evidence(store, key, DatasetSpec), (*now, *former))
        return [spec for spec in found if spec]


def list_datasets(store: ObjectStore) -> list[str]:
    """Names of the datasets that the bucket describes; what can't be asked for by its name is none."""
    names = (folder.removeprefix(keys.DATASETS) for folder in top(store, keys.DATASETS).folders)
    return sorted(filter(is_safe_name, names))


def write_report(store: ObjectStore, report: Report) -> None:
    """File the report as JSON, Markdown and a page to look at: as the latest and, of a run, under that run."""
    page = to_page(report, pick(store, [tally.generator for tally in report.generators if tally.whole]))
    texts = {
        REPORT_MARKDOWN: report.to_markdown(),
        REPORT_PAGE: page,
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
        for name in (REPORT_JSON, REPORT_MARKDOWN, REPORT_PAGE)
    }
    report = Report.model_validate_json(texts[REPORT_JSON])
    for place in (folder, *([folder / "runs" / report.run_name] if report.run else ())):
        place.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (place / name).write_bytes(text)
    return folder / REPORT_PAGE


def read_receipts(
    store: ObjectStore, plan: Plan, gap: Gap, evidence: Evidence
) -> dict[keys.ReceiptKey, Receipt]:
    """The receipts of the runs that made the neighbours of what is missing; unreadable ones are left out.

    One whose name does not tell its seed may turn out to be of another than the dataset's; then an earlier run counts.
    """
    found: dict[keys.ReceiptKey, Receipt] = {}
    unreadable: set[keys.ReceiptKey] = set()
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="read") as pool:
        while wanted := holes(plan, gap, evidence, found).keys() - found.keys() - unreadable:
            read_now = pool.map(lambda key: (key, read_receipt(store, key)), wanted)
            found |= {key: receipt for key, receipt in read_now if receipt}
            unreadable |= wanted - found.keys()
    return found


def read_receipt(store: ObjectStore, key: keys.ReceiptKey) -> Receipt | None:
    """A receipt; None where it can't be read."""
    return read_evidence(store, keys.receipt(key), Receipt)


def find_receipt(store: ObjectStore, key: keys.ReceiptKey) -> Receipt | None:
    """The receipt of a run with its seed, under its name or the one it had before names told the seed.

    None where there is none; of the latter name it may be another seed's.
    """
    names = (key, key._replace(seed=None))
    found = (read_evidence(store, keys.receipt(name), Receipt) for name in names)
    return next(filter(None, found), None)


def explain_failures(store: ObjectStore, evidence: Evidence, gaps: Iterable[Gap]) -> list[FailureTally]:
    """Failures in what is still missing, counted, each with what its latest record said: one read a row."""
    gaps = list(gaps)
    latest = {(f.key.generator, f.key.cause): f for f in failures_in(evidence, gaps)}
    return [
        tally.model_copy(update={"detail": detail_of(store, latest[tally.generator, tally.cause])})
        for tally in tally_failures(evidence, gaps)
    ]


def detail_of(store: ObjectStore, failed: Failed) -> str:
    """What a failure record says in one line, with the last line of stderr; empty where it can't be read."""
    record = read_evidence(store, keys.failure(failed.key), FailureRecord)
    if record is None:
        return ""
    lines = record.stderr_tail.strip().splitlines()
    return f"{record.detail}: {lines[-1]}" if lines and lines[-1] not in record.detail else record.detail


def read_evidence(store: ObjectStore, key: str, kind: type[Model]) -> Model | None:
    """The record at `key`; one that cannot be read is no evidence, and nothing stops for want of evidence."""
    try:
        return read(store, key, kind)
    except DataFactoryError as error:
        log.warning("%s", for_terminal(str(error)))
        return None
