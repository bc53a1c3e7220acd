"""The idempotency check: whether the batch of a message is whole in the bucket already.

SQS delivers at least once. The receipt says which keys to look for, the bucket whether they exist: a receipt alone
proves nothing, as a batch may be replayed because its samples were lost.
"""

import logging
from concurrent.futures import Future, ThreadPoolExecutor

import obstore
from obstore.exceptions import GenericError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore

from lambda_worker.failure import BatchFailed
from lambda_worker.records import Origin
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.errors import NewerSchemaError
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.ranges import IndexRange, expand
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.checksums import unquoted
from vbvrdatafactory.s3.listing import objects

log = logging.getLogger(__name__)

_LIST_THREADS = 32
_NO_BUCKET = "NoSuchBucket"

# The check while it runs: what it finds, None where the batch is to be made.
EarlierResult = Future[TaskResult | None]


class AlreadyFinished(Exception):  # noqa: N818 - nothing failed
    """The batch is whole in the bucket already; `result` is what its receipt says."""

    def __init__(self, result: TaskResult) -> None:
        super().__init__(result.generator)
        self.result = result


def raise_if_finished(check: EarlierResult) -> None:
    """Raise `AlreadyFinished` as soon as the check has found the batch finished."""
    if check.done() and (result := check.result()):
        raise AlreadyFinished(result)


def find_earlier_result(
    store: ObjectStore, message: TaskMessage, seed: int, origin: Origin
) -> TaskResult | None:
    """The result of the run that made just this batch with the same code, if its samples are in the bucket as it left them.

    Args:
        store: the bucket.
        message: the batch.
        seed: its seed.
        origin: what would make it now.

    Raises:
        NewerSchemaError: a newer version wrote the batch's receipt, and this one must not write over it.
        BatchFailed: the bucket that the message names refuses this worker.
    """
    if message.output_bucket or message.output_prefix:
        _check_access(store, message)
    try:
        key = keys.ReceiptKey(message.type, message.indices, message.salt, seed)
        receipt = records.find_receipt(store, key)
        if receipt is None or receipt.seed != seed or receipt.message != message.plain:
            return None
        is_same = _origin_of(receipt).is_same(origin)
        return receipt.result if is_same and _is_there(store, message, receipt) else None
    except NewerSchemaError:
        raise
    except PermissionDeniedError:
        # S3 answers so to a missing key, where the role may list below some prefixes only.
        return None
    except Exception as error:  # noqa: BLE001 - without the check the batch is just made once more
        log.warning("whether %s %s was made before is unknown: %s", message.type, message.indices, error)
        return None


def _check_access(store: ObjectStore, message: TaskMessage) -> None:
    """Find out before a generator runs for nothing that another bucket or prefix is not this worker's to use."""
    try:
        next(iter(obstore.list(store, prefix=f"{keys.RECEIPTS}{message.type}/", chunk_size=1)), None)
    except (PermissionDeniedError, UnauthenticatedError, NotFoundError) as error:
        raise _refused(message, str(error)[:300]) from error
    except GenericError as error:
        # What a listing of a bucket that does not exist ends in.
        if _NO_BUCKET not in str(error):
            raise
        raise _refused(message, "there is none of that name") from error


def _refused(message: TaskMessage, why: str) -> BatchFailed:
    return BatchFailed(
        Cause.ACCESS_DENIED,
        f"the worker may not use {_where(message)}: {why}; the deployment lists further buckets in "
        "extraOutputBuckets, and prefixes in prefixes",
    )


def _where(message: TaskMessage) -> str:
    bucket = f"bucket {message.output_bucket!r}" if message.output_bucket else "its bucket"
    return f"{bucket}, prefix {message.output_prefix!r}" if message.output_prefix else bucket


def _origin_of(receipt: Receipt) -> Origin:
    return Origin(receipt.generator_digest, receipt.made_by)


def _is_there(store: ObjectStore, message: TaskMessage, receipt: Receipt) -> bool:
    wanted = set(message.only_indices or range(*message.indices))
    if not wanted <= set(expand(receipt.stored)):
        return False
    if receipt.result.tar_files:
        return _has_archives(store, receipt)
    with ThreadPoolExecutor(_LIST_THREADS, thread_name_prefix="list") as pool:
        return all(pool.map(lambda index: _has_sample(store, message, receipt, index), sorted(wanted)))


def _has_archives(store: ObjectStore, receipt: Receipt) -> bool:
    """Whether its archives are there as the bucket took them; of an older receipt, with any content."""
    recorded = {one.name: (one.size, one.e_tag) for one in receipt.archives}
    for name in receipt.result.tar_files:
        found = obstore.head(store, f"{keys.QUESTIONS}{name}")
        stored = (found["size"], unquoted(found["e_tag"]))
        if not found["size"] or recorded.get(name, stored) != stored:
            return False
    return True


def _has_sample(store: ObjectStore, message: TaskMessage, receipt: Receipt, index: int) -> bool:
    """Whether a sample is there, exactly as the bucket took it; of an older receipt, whole by its names."""
    task = receipt.tasks.get(index, receipt.task)
    folder = keys.sample_folder(keys.SampleFolder(message.type, task, index))
    found = [one for one in objects(store, folder) if one.size]
    if recorded := receipt.objects.get(index):
        stored = {(one.path.rpartition("/")[2], one.size, unquoted(one.e_tag)) for one in found}
        return stored == {tuple(one) for one in recorded if one.size}
    inventory = Inventory(message.require)
    inventory.add((one.path, one.size) for one in found)
    return inventory[message.type].whole(IndexRange(index, index + 1)) == 1
