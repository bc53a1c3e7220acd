"""Reads and writes the ledger of a generator, and reads the receipts that are not in it yet."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Executor
from itertools import chain
from typing import Any

import obstore
import polars as pl
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.core.keys import ReceiptKey
from vbvrdatafactory.core.records import Adoption, Receipt
from vbvrdatafactory.ledger.rows import rows_of, rows_of_adoption, rows_of_name, table
from vbvrdatafactory.ledger.schema import Part, from_parquet, to_parquet
from vbvrdatafactory.s3 import reading, records
from vbvrdatafactory.s3.listing import sizes

log = logging.getLogger(__name__)


# What records samples: a receipt, or the key of a record of adopted ones.
Source = ReceiptKey | str


def read_part(store: ObjectStore, generator: str) -> Part:
    """The ledger of a generator; empty where there is none, or none that can be read: it is made anew from the receipts."""
    key = keys.ledger(generator)
    try:
        return from_parquet(reading.read(store, key).data)
    except FileNotFoundError:
        return Part()
    except (ValueError, DataFactoryError) as error:
        log.warning("%s is made anew from the receipts: %s", key, for_terminal(str(error)))
        return Part()


def write_part(store: ObjectStore, generator: str, part: Part) -> None:
    """Write the ledger of a generator, in place of what is there."""
    kind = {"Content-Type": "application/vnd.apache.parquet"}
    obstore.put(store, keys.ledger(generator), to_parquet(part), attributes=kind)


def list_adopted(store: ObjectStore) -> dict[str, list[str]]:
    """Keys of the records of adopted samples, by generator."""
    found: dict[str, list[str]] = defaultdict(list)
    for key, _ in sizes(store, keys.ADOPTED):
        if generator := keys.parse_adoption(key):
            found[generator].append(key)
    return found


def name_of(source: Source) -> str:
    """A source's name in the ledger: its key below ``_datafactory/``."""
    return (source if isinstance(source, str) else keys.receipt(source)).removeprefix(keys.OWN)


def read_rows(store: ObjectStore, sources: Iterable[Source], readers: Executor) -> pl.DataFrame:
    """The rows of these receipts and records of adopted samples.

    Of a receipt that can't be read there are rows with what its name tells, so that nobody takes its samples for foreign.
    """
    rows = readers.map(lambda source: _rows(store, source), sources)
    return table(chain.from_iterable(rows))


def _rows(store: ObjectStore, source: Source) -> list[dict[str, Any]]:
    name = name_of(source)
    if isinstance(source, str):
        adoption = records.read_if_valid(store, source, Adoption)
        return [*rows_of_adoption(name, adoption)] if adoption else []
    receipt = records.read_if_valid(store, keys.receipt(source), Receipt)
    return [*(rows_of(name, receipt) if receipt else rows_of_name(name, source))]
