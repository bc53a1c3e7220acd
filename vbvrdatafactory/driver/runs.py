"""The runs of a dataset, as their reports in the bucket tell them."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.driver.reports import REPORT_HTML, REPORT_JSON
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.listing import top
from vbvrdatafactory.s3.specs import read_spec

_THREADS = 16


class FiledRun(NamedTuple):
    """One run of a dataset.

    Args:
        key: of its report as a page.
        report: what it found and did; None where that can't be read.
        problem: why it can't be read; empty where it can.
    """

    key: str
    report: Report | None
    problem: str = ""


def list_runs(store: ObjectStore, dataset: str, most: int | None = None) -> list[FiledRun]:
    """The runs of the dataset, the latest first, `most` of them at the most; one that can't be read says why.

    Folders beside them that are of no run come after all runs.

    The latest report is among them where it is of no run on record: a bucket of before runs were kept has only that.

    Raises:
        DataFactoryError: the bucket describes no such dataset.
    """
    read_spec(store, dataset)
    found = top(store, keys.runs(dataset)).folders
    found.sort(key=lambda folder: (keys.parse_run_folder(folder) or "", folder), reverse=True)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="read") as pool:
        runs = list(pool.map(lambda folder: _read(store, f"{folder}/"), found[:most]))
    latest = _read(store, keys.dataset_file(dataset, ""))
    if latest.report and latest.report.run and latest.report not in [run.report for run in runs]:
        runs.insert(0, latest)
    return runs[:most]


def _read(store: ObjectStore, folder: str) -> FiledRun:
    page = f"{folder}{REPORT_HTML}"
    try:
        report = records.read(store, f"{folder}{REPORT_JSON}", Report)
    except DataFactoryError as error:
        return FiledRun(page, None, str(error))
    return FiledRun(page, report, "" if report else f"{folder}{REPORT_JSON} is missing")
