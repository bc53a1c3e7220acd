"""Formats and parses every key in the bucket, both directions next to each other.

The dataset, and nothing else, lies under ``questions/``::

    questions/{generator}/{task}_task/{task}_{index:04d}/{file}
    questions/{generator}_{start:05d}-{end:05d}.tar.gz          inside: {generator}/{task}_task/{task}_{index}/…

Everything of our own lies under ``_datafactory/``, so that syncing ``questions/`` gives exactly the dataset::

    _datafactory/datasets/{dataset}/spec.json
    _datafactory/datasets/{dataset}/specs/{YYYYmmddTHHMMSSffffffZ}.json     those before it, by when they were replaced
    _datafactory/datasets/{dataset}/report.json | report.md | report.html
    _datafactory/datasets/{dataset}/runs/{YYYYmmddTHHMMSSZ}-{digest}/report.json | report.md | report.html
    _datafactory/datasets/{dataset}/plan.json | plan.html | approval.json
    _datafactory/datasets/{dataset}/lease.json | control.json
    _datafactory/datasets/{dataset}/dead-letters/{message id}.json
    _datafactory/receipts/{generator}/{start:05d}-{end:05d}.s{salt}.seed{seed}/{YYYYmmddTHHMMSSffffffZ}-{unique}.json
    _datafactory/receipts/{generator}/{start:05d}-{end:05d}.s{salt}.seed{seed}/{YYYYmmddTHHMMSSffffffZ}-{unique}.partial.json
    _datafactory/adopted/{generator}/{start:05d}-{end:05d}.{YYYYmmddTHHMMSSffffffZ}-{unique}.json
    _datafactory/ledger/{generator}.parquet
    _datafactory/bands/{generator}/{code: 16 hexadecimal digits}.2.json
    _datafactory/certificates/{generator}/{code and environment: 16 hexadecimal digits}.json
    _datafactory/failures/{generator}/{start:05d}-{end:05d}.s{salt}/{attempt:03d}.{cause}.json
    _datafactory/failures/{generator}/{start:05d}-{end:05d}.s{salt}/{attempt:03d}.started.json     from the second on

Receipts and failures carry in their names all that planning the next round needs, so a listing is enough. A receipt is
never overwritten: a run that is made twice has two. Older versions wrote one for each run, under
``{start:05d}-{end:05d}.s{salt}.seed{seed}.json`` or, the oldest, ``{start:05d}-{end:05d}.s{salt}.json``. Their bands, without
the ``.2``, are of differences that were measured otherwise.
"""

import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import MAX_BATCH
from vbvrdatafactory.core.ranges import IndexRange

QUESTIONS = "questions/"
OWN = "_datafactory/"
RECEIPTS = f"{OWN}receipts/"
FAILURES = f"{OWN}failures/"
DATASETS = f"{OWN}datasets/"
UNREADABLE = f"{OWN}unreadable/"
ADOPTED = f"{OWN}adopted/"
LEDGER = f"{OWN}ledger/"
BANDS = f"{OWN}bands/"
CERTIFICATES = f"{OWN}certificates/"

_FOLDER = re.compile(r"questions/([^/]+)/(?:[^/]+/)*?([^/]+)_task/[^/]*_([0-9]{1,12})")
_ARCHIVE = re.compile(r"questions/([^/]+)_([0-9]{1,12})-([0-9]{1,12})\.tar\.gz")
_RECEIPT = re.compile(
    rf"{RECEIPTS}([^/]+)/([0-9]{{1,12}})-([0-9]{{1,12}})\.s([0-9]{{1,12}})"
    r"(?:\.seed([0-9]{1,12})(?:/([0-9]{8}T[0-9]{12}Z-[0-9a-f]{8})(\.partial)?)?)?\.json"
)
_FAILURE = re.compile(
    rf"{FAILURES}([^/]+)/([0-9]{{1,12}})-([0-9]{{1,12}})\.s([0-9]{{1,12}})/([0-9]{{1,12}})\.([a-z-]+)\.json"
)
_STARTED = re.compile(
    rf"{FAILURES}([^/]+)/([0-9]{{1,12}})-([0-9]{{1,12}})\.s([0-9]{{1,12}})/([0-9]{{1,12}})\.started\.json"
)
_ADOPTION = re.compile(
    rf"{ADOPTED}([^/]+)/[0-9]{{1,12}}-[0-9]{{1,12}}\.[0-9]{{8}}T[0-9]{{12}}Z-[0-9a-f]{{8}}\.json"
)
_BAND = re.compile(rf"{BANDS}([^/]+)/([0-9a-f]{{1,16}})(\.2)?\.json")
_CERTIFICATE = re.compile(rf"{CERTIFICATES}([^/]+)/[0-9a-f]{{16}}\.json")
_RUN_FOLDER = re.compile(rf"{DATASETS}[^/]+/runs/([0-9]{{8}}T[0-9]{{6}}Z-[0-9a-f]+)/?")
_SAMPLE_NAME = re.compile(r"(.*)_([0-9]{1,12})", re.DOTALL)
# An empty, "." or ".." segment, or a control character of ASCII.
_NO_PATH = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f]")


class SampleFolder(NamedTuple):
    """A sample's folder in the bucket."""

    generator: str
    task: str
    sample_index: int


class Archive(NamedTuple):
    """A tar.gz with the samples of one batch."""

    generator: str
    indices: IndexRange


class ReceiptKey(NamedTuple):
    """The run of a generator that a receipt records.

    Args:
        seed: the run's; None in older names, where only the receipt itself has it.
        made: when it was written, and a unique ending; empty in older names.
        is_partial: whether the batch failed, and the receipt is about what was stored all the same.
    """

    generator: str
    indices: IndexRange
    salt: int
    seed: int | None = None
    made: str = ""
    is_partial: bool = False


class FailureKey(NamedTuple):
    """The attempt that a failure record is about, and its cause."""

    generator: str
    indices: IndexRange
    salt: int
    attempt: int
    cause: Cause


class StartedKey(NamedTuple):
    """An attempt that began after an earlier one of the same batch had not succeeded."""

    generator: str
    indices: IndexRange
    salt: int
    attempt: int


def sample_name(task: str, index: int) -> str:
    """A sample's folder name: four digits, growing past 9999."""
    return f"{task}_{index:04d}"


def parse_sample_name(name: str) -> tuple[str, int] | None:
    """(task, index) of a folder called ``{task}_{index}``, any width."""
    match = _SAMPLE_NAME.fullmatch(name)
    return (match[1], int(match[2])) if match else None


def sample_folder(folder: SampleFolder) -> str:
    """The folder's prefix, without the trailing slash."""
    return f"{QUESTIONS}{task_root(folder.generator, folder.task)}/{sample_name(folder.task, folder.sample_index)}"


def parse_sample_folder(prefix: str) -> SampleFolder | None:
    """The sample folder of `prefix` (without trailing slash), or None."""
    match = _FOLDER.fullmatch(prefix)
    return SampleFolder(match[1], match[2], int(match[3])) if match else None


def task_root(generator: str, task: str) -> str:
    """The folder of samples inside an archive, and below ``questions/``."""
    return f"{generator}/{task}_task"


def archive(key: Archive) -> str:
    """The archive's key. Both ends are included in its name."""
    return f"{QUESTIONS}{key.generator}_{key.indices.start:05d}-{key.indices.stop - 1:05d}.tar.gz"


def parse_archive(key: str) -> Archive | None:
    """The archive of `key`, or None; also None for more samples than a batch can have."""
    match = _ARCHIVE.fullmatch(key)
    if match is None or (indices := _indices(match)) is None:
        return None
    return Archive(match[1], indices)


def questions_of(generator: str) -> str:
    """The prefix of a generator's samples and archives; names that begin alike share it."""
    return f"{QUESTIONS}{generator}"


def receipt(key: ReceiptKey) -> str:
    """The key of a receipt."""
    made = f"/{key.made}{'.partial' * key.is_partial}" if key.made else ""
    return f"{receipts_of_run(key)}{made}.json"


def receipt_name(at: datetime, unique: str) -> str:
    """What tells a receipt from the others of its run: when it was written, and 8 hexadecimal digits."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{unique}"


def receipts_of_run(key: ReceiptKey) -> str:
    """The folder, without the trailing slash, of the receipts of a run: one for each time that it was made."""
    seed = "" if key.seed is None else f".seed{key.seed}"
    return f"{RECEIPTS}{key.generator}/{_run(key.indices, key.salt)}{seed}"


def parse_receipt(key: str) -> ReceiptKey | None:
    """The receipt of `key`, a partial one too, or None."""
    match = _RECEIPT.fullmatch(key)
    if match is None or (indices := _indices(match)) is None:
        return None
    seed = None if match[5] is None else int(match[5])
    return ReceiptKey(match[1], indices, int(match[4]), seed, match[6] or "", bool(match[7]))


def adoption(generator: str, indices: IndexRange, made: str) -> str:
    """The key of a record of adopted samples; `made` is a `receipt_name`."""
    return f"{ADOPTED}{generator}/{indices.start:05d}-{indices.stop - 1:05d}.{made}.json"


def parse_adoption(key: str) -> str | None:
    """The generator of a record of adopted samples, or None."""
    match = _ADOPTION.fullmatch(key)
    return match and match[1]


def ledger(generator: str) -> str:
    """The key of a generator's part of the ledger."""
    return f"{LEDGER}{generator}.parquet"


def band(generator: str, code: str) -> str:
    """The key of what is usual for samples that a generator's code makes; `code` is its digest."""
    return f"{BANDS}{generator}/{code[:16]}.2.json"


class BandKey(NamedTuple):
    """Whose band it is, and whether it is one of before, by differences that were measured otherwise."""

    generator: str
    code: str
    is_of_before: bool


def parse_band(key: str) -> BandKey | None:
    """What a band's name says, or None."""
    match = _BAND.fullmatch(key)
    return BandKey(match[1], match[2], not match[3]) if match else None


def certificate(generator: str, code: str, environment: str) -> str:
    """The key of what a generator's code proved in an environment; both are digests."""
    both = sha256(f"{code}\n{environment}".encode()).hexdigest()
    return f"{CERTIFICATES}{generator}/{both[:16]}.json"


def parse_certificate(key: str) -> str | None:
    """The generator of a certificate, or None."""
    match = _CERTIFICATE.fullmatch(key)
    return match and match[1]


def failure(key: FailureKey) -> str:
    return f"{FAILURES}{key.generator}/{_run(key.indices, key.salt)}/{key.attempt:03d}.{key.cause}.json"


def parse_failure(key: str) -> FailureKey | None:
    match = _FAILURE.fullmatch(key)
    if match is None or match[6] not in set(Cause) or (indices := _indices(match)) is None:
        return None
    return FailureKey(match[1], indices, int(match[4]), int(match[5]), Cause(match[6]))


def started(key: StartedKey) -> str:
    return f"{FAILURES}{key.generator}/{_run(key.indices, key.salt)}/{key.attempt:03d}.started.json"


def parse_started(key: str) -> StartedKey | None:
    match = _STARTED.fullmatch(key)
    if match is None or (indices := _indices(match)) is None:
        return None
    return StartedKey(match[1], indices, int(match[4]), int(match[5]))


def is_path(key: str) -> bool:
    """Whether `key` is valid as a file's path, as every key of the factory is; S3 allows any text.

    >>> [is_path(key) for key in ("questions/G/a.txt", "questions/G//a", "questions/G/../a", "questions/G/")]
    [True, False, False, False]
    """
    return _NO_PATH.search(key) is None


def unreadable(message_id: str) -> str:
    """The key of the failure record of a message that could not be parsed."""
    return f"{UNREADABLE}{message_id}.json"


def dataset_file(dataset: str, name: str) -> str:
    """A file of the dataset's own: ``spec.json``, ``report.json``, ``report.md``, ``report.html``."""
    return f"{DATASETS}{dataset}/{name}"


def former_specs(dataset: str) -> str:
    """The folder of the dataset's replaced specs; their names sort by time."""
    return dataset_file(dataset, "specs/")


def former_spec(dataset: str, replaced_at: datetime) -> str:
    """The key of a spec that was replaced at that time."""
    return f"{former_specs(dataset)}{replaced_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}.json"


def runs(dataset: str) -> str:
    """The folder of the dataset's runs, a subfolder each with its report; their names sort by time."""
    return dataset_file(dataset, "runs/")


def run_file(dataset: str, run: str, name: str) -> str:
    """A file of one run; `run` is `Report.run_name`."""
    return f"{runs(dataset)}{run}/{name}"


def parse_run_folder(folder: str) -> str | None:
    """The name of the run whose report is in `folder`; None for any other folder under ``runs/``."""
    match = _RUN_FOLDER.fullmatch(folder)
    return match and match[1]


def dataset_lock(dataset: str) -> str:
    """The lock file of the dataset."""
    return dataset_file(dataset, "lease.json")


def pause_state(dataset: str) -> str:
    """Whether the dataset is paused."""
    return dataset_file(dataset, "control.json")


def approval(dataset: str) -> str:
    """What the dataset's runs may spend, as somebody approved."""
    return dataset_file(dataset, "approval.json")


def dead_letter(dataset: str, message_id: str) -> str:
    """The key under which a dead letter of the dataset is filed before it is deleted from the queue."""
    return f"{DATASETS}{dataset}/dead-letters/{message_id}.json"


def _run(indices: IndexRange, salt: int) -> str:
    return f"{indices.start:05d}-{indices.stop - 1:05d}.s{salt}"


def _indices(match: re.Match[str]) -> IndexRange | None:
    """The range of the second and third group, both included; None where it is longer than a batch can be."""
    indices = IndexRange(int(match[2]), int(match[3]) + 1)
    return indices if 1 <= indices.size <= MAX_BATCH else None
