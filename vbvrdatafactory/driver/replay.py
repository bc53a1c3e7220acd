"""Finds how one sample was made, and what lies in the bucket of it; and compares it with what a replay made."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import polars as pl
from obstore.store import ObjectStore

from vbvrdatafactory.core.content import FileContent, content_digest, metadata_digest
from vbvrdatafactory.core.contract import ALWAYS_REQUIRED
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.seeds import python_hash_seed
from vbvrdatafactory.driver.contents import Found
from vbvrdatafactory.driver.observe import observe_plan
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.ledger.places import Place, find_places
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3.contents import Files, read_archive, read_files

# Columns of the ledger that may be null.
_TOLD = ("task", "digest", "metadata_digest", "code", "commit", "environment", "receipt")


class RecordedSample(NamedTuple):
    """How one sample was made, and what is there of it.

    Args:
        message: the run that made it.
        python_hash_seed: the run's.
        sample_index: which sample of the generator it is.
        task: the task that its name begins with; empty where it is not known.
        digest, metadata_digest: of its content and its other files; empty where none is recorded.
        code, commit, environment: what made it; empty where it is not recorded.
        receipt: the record that says so.
        files: what lies in the bucket; None where no whole sample does.
    """

    message: TaskMessage
    python_hash_seed: int
    sample_index: int
    task: str
    digest: str
    metadata_digest: str
    code: str
    commit: str
    environment: str
    receipt: str
    files: Files | None


def find_sample(services: Services, generator: str, sample_index: int, prefix: str = "") -> RecordedSample:
    """How a sample was made, by the ledger and by receipts that are not in it yet.

    Raises:
        DataFactoryError: nobody recorded it.
    """
    spec = make_spec(
        generators=[generator], samples=sample_index + 1, batch_size=1, on_mismatch="keep", prefix=prefix
    )
    found: list[Found] = []
    observe_plan(services, Plan(spec), save=False, on_found=lambda _, one: found.append(one))
    rows = found[0].rows.filter(pl.col("index") == sample_index)
    if not rows.height or rows["seed"][0] is None or rows["start"][0] is None:
        raise DataFactoryError(
            f"no receipt says how sample {sample_index} of {generator!r} was made; "
            "'datafactory report' shows what is there"
        )
    (row,) = rows.iter_rows(named=True)
    place = find_places(found[0].listed, [sample_index], ALWAYS_REQUIRED).get(sample_index)
    message = TaskMessage(
        type=generator,
        num_samples=row["count"],
        start_index=row["start"],
        seed=row["seed"],
        salt=row["salt"] or 0,
    )
    told = {name: row[name] or "" for name in _TOLD}
    hash_seed = row["python_hash_seed"]
    return RecordedSample(
        message,
        python_hash_seed(row["seed"]) if hash_seed is None else hash_seed,
        sample_index,
        **told,
        files=_files(services.samples(prefix), place),
    )


def differences(
    recorded: RecordedSample, made: Mapping[str, FileContent], code: str | None, environment: str
) -> Iterator[str]:
    """How a sample that was made again differs from the one recorded, a line each; none where it is the same.

    Args:
        recorded: the sample.
        made: the files that were made.
        code: digest of the code that made them.
        environment: digest of the environment that it ran in; empty where there is none.
    """
    if recorded.digest and content_digest(made) == recorded.digest:
        if metadata_digest(made) != recorded.metadata_digest:
            yield "its content is the same, its metadata is not: that may hold the time of day"
        return
    if not recorded.digest:
        yield "no digest of it is recorded, so it can't be compared; 'datafactory adopt' records one"
        return
    yield from _by_file(recorded, made)
    if recorded.code and code != recorded.code:
        at = f", of commit {recorded.commit[:12]}" if recorded.commit else ""
        yield f"other code: {recorded.code[:16]}{at} made it, here is {(code or 'none')[:16]}"
    elif recorded.environment and environment != recorded.environment:
        here = environment[:16] or "none of the lock"
        yield f"another environment: {recorded.environment[:16]} made it, here is {here}"
    else:
        yield "the same code and seed made other content: this generator does not repeat itself"


def _by_file(recorded: RecordedSample, made: Mapping[str, FileContent]) -> Iterator[str]:
    there = recorded.files
    if there is None or content_digest(there) != recorded.digest:
        yield "its content is not the recorded one; which file differs can't be told, as the bucket holds another sample"
        return
    for name in sorted(there.keys() | made.keys()):
        if there.get(name) != made.get(name):
            yield f"{name} differs: {_size(there.get(name))} recorded, {_size(made.get(name))} made"


def _size(content: FileContent | None) -> str:
    return f"{content.size:,} bytes" if content else "none"


def _files(store: ObjectStore, place: Place | None) -> Files | None:
    if place is None:
        return None
    if not place.archive:
        return read_files(store, (one.key for one in place.objects))
    inside = read_archive(store, place.archive)
    return next(
        (files for folder, files in inside.items() if folder.sample_index == place.sample_index), None
    )
