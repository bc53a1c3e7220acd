"""Reports of runs, as they lie in the bucket."""

from pathlib import Path

from tasks.connection import bucket
from vbvrdatafactory.s3 import records


def bring_report(dataset: str, folder: Path) -> Path:
    """Copy the dataset's latest report from the bucket to `folder`, and beside it under its run; returns the page."""
    return records.copy_report(bucket(), dataset, folder)
