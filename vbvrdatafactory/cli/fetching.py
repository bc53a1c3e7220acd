"""Downloads with progress and a summary."""

from collections.abc import Sequence
from pathlib import Path

from obstore.store import ObjectStore
from rich.filesize import decimal

from vbvrdatafactory.cli import output
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.humanize import format_count
from vbvrdatafactory.planning.selection import choose_generators
from vbvrdatafactory.s3.download import Download, generators_in, measure
from vbvrdatafactory.s3.specs import read_spec

# In a bucket that others write to there may be thousands.
_NAMED = 100


def fetch(
    app: App, dest: Path, patterns: Sequence[str], dataset: str | None = None, *, extract: bool
) -> None:
    """Download the generators that match `patterns` (none: all) to `dest`; those below the prefix of `dataset` if given."""
    store = app.store()
    if dataset:
        store = app.services.samples(read_spec(store, dataset).prefix)
    with output.listing(f"bucket {app.bucket_name}"):
        chosen = _choose(store, app.bucket_name, patterns)
        lacking = measure(store, dest, chosen)
    with output.progress("downloading", lacking, in_bytes=True) as advance:
        done = Download(store, dest, extract=extract, on_bytes=advance).run(chosen)
    unpacked = f"; {format_count(done.unpacked, 'file')} unpacked" if extract else ""
    output.say(
        f"Downloaded {format_count(done.fetched, 'file')} ({decimal(done.fetched_bytes)}) to {dest}; "
        f"{done.already_there:,} already existed{unpacked}."
    )
    for key, why in done.refused[:_NAMED]:
        output.note(f"left out {key!r}: {why}")
    done.raise_if_refused()


def _choose(store: ObjectStore, bucket: str, patterns: Sequence[str]) -> tuple[str, ...] | None:
    found = generators_in(store)
    if not found:
        raise DataFactoryError(f"bucket {bucket!r} has no sample under questions/ yet")
    return choose_generators(patterns, found) if patterns else None
