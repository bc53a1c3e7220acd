"""Reads and writes the records under ``_datafactory/`` as models."""

import logging
from typing import TypeVar

import obstore
from obstore.store import ObjectStore
from pydantic import BaseModel, ValidationError

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError, NewerSchemaError, UnreadableRecordError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.models import Receipt
from vbvrdatafactory.s3 import reading

log = logging.getLogger(__name__)

READ_THREADS = 32

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
        data = reading.read(store, key).data
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


def find_receipt(store: ObjectStore, key: keys.ReceiptKey) -> Receipt | None:
    """The receipt of a run with its seed, under its name, or under the older one without the seed.

    None where there is none, or only a damaged one, which a receipt of the same run may replace; of the latter name
    it may be another seed's.

    Raises:
        NewerSchemaError: a newer version wrote it. It must not be replaced by what this version knows.
    """
    names = (key, key._replace(seed=None))
    return next(filter(None, (_read_unless_damaged(store, name) for name in names)), None)


def _read_unless_damaged(store: ObjectStore, key: keys.ReceiptKey) -> Receipt | None:
    try:
        return read_receipt(store, key)
    except NewerSchemaError:
        raise
    except DataFactoryError as error:
        log.warning("%s", for_terminal(str(error)))
        return None
