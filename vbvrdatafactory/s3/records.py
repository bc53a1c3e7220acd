"""Reads and writes the records under ``_datafactory/`` as models."""

import logging
from typing import TypeVar

import obstore
from obstore.store import ObjectStore
from pydantic import BaseModel, ValidationError

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError, NewerSchemaError, UnreadableRecordError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.records import Receipt
from vbvrdatafactory.s3 import reading
from vbvrdatafactory.s3.listing import top

log = logging.getLogger(__name__)

READ_THREADS = 32
# A receipt of a thousand samples has half a megabyte; so many are read at once.
_MOST_BYTES = 32 * 1024 * 1024

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
    """The model stored under `key`; None where there is none.

    Fields that are not known here are ignored: a later version may have added them.

    Raises:
        NewerSchemaError: it is written by a schema that is not known here.
        UnreadableRecordError: the object is no `kind`.
        DataFactoryError: it is not received whole.
    """
    try:
        data = reading.read(store, key, at_most=_MOST_BYTES).data
    except FileNotFoundError:
        return None
    return parse(data, key, kind)


def parse(data: bytes, key: str, kind: type[Model]) -> Model:
    """The model in `data`, the object `key`; raises as `read` does."""
    try:
        return kind.model_validate_json(data, extra="ignore")
    except NewerSchemaError as error:
        raise NewerSchemaError(error.kind, error.found, error.known, key) from error
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise UnreadableRecordError(f"{key} is no {kind.__name__}: {message}") from error


def read_if_valid(store: ObjectStore, key: str, kind: type[Model]) -> Model | None:
    """The record at `key`; None where there is none, or with a warning where it can't be read.

    For what is only shown. A decision that needs the record uses `read`, and stops.
    """
    try:
        return read(store, key, kind)
    except DataFactoryError as error:
        log.warning("%s", for_terminal(str(error)))
        return None


def read_receipt(store: ObjectStore, key: keys.ReceiptKey) -> Receipt | None:
    """A receipt; None where there is none. Raises as `read` does."""
    return read(store, keys.receipt(key), Receipt)


def find_receipt(store: ObjectStore, run: keys.ReceiptKey) -> Receipt | None:
    """The latest receipt of a run with its seed, under its name, or under an older one without time or seed.

    None where there is none, or only damaged ones; of the oldest name it may be another seed's.

    Raises:
        NewerSchemaError: a newer version wrote it.
    """
    listed = (keys.parse_receipt(one.path) for one in top(store, keys.receipts_of_run(run)).objects)
    complete = (key for key in listed if key and not key.is_partial)
    latest_first = sorted(complete, key=lambda key: key.made, reverse=True)
    names = (*latest_first, run, run._replace(seed=None))
    return next(filter(None, (_read_unless_damaged(store, name) for name in names)), None)


def _read_unless_damaged(store: ObjectStore, key: keys.ReceiptKey) -> Receipt | None:
    try:
        return read_receipt(store, key)
    except NewerSchemaError:
        raise
    except DataFactoryError as error:
        log.warning("%s", for_terminal(str(error)))
        return None
