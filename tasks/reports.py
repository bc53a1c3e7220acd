"""Reports of runs, as they lie in the bucket."""

from pathlib import Path

from tasks.connection import bucket
from vbvrdatafactory.driver.reports import copy_report


def bring_report(dataset: str, folder: Path) -> Path:
    """Copy the dataset's latest report from the bucket to `folder`, and beside it under its run; returns the page."""
    return copy_report(bucket(), dataset, folder)
