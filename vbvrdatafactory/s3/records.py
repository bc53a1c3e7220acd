"""Our own records in the bucket, read and written as models: how any of them is, and receipts."""

import logging
from typing import TypeVar

import obstore
from obstore.store import ObjectStore
from pydantic import BaseModel, ValidationError

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
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


def read_if_valid(store: ObjectStore, key: str, kind: type[Model]) -> Model | None:
    """The record at `key`; one that cannot be read is no evidence, and nothing stops for want of evidence."""
    try:
        return read(store, key, kind)
    except DataFactoryError as error:
        log.warning("%s", for_terminal(str(error)))
        return None


def read_receipt(store: ObjectStore, key: keys.ReceiptKey) -> Receipt | None:
    """A receipt; None where it can't be read."""
    return read_if_valid(store, keys.receipt(key), Receipt)


def find_receipt(store: ObjectStore, key: keys.ReceiptKey) -> Receipt | None:
    """The receipt of a run with its seed, under its name or the one it had before names told the seed.

    None where there is none; of the latter name it may be another seed's.
    """
    names = (key, key._replace(seed=None))
    found = (read_if_valid(store, keys.receipt(name), Receipt) for name in names)
    return next(filter(None, found), None)
