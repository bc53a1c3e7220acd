"""Reads and files the bands of generators, each written once: by the first batch that shows it."""

import logging
from datetime import UTC, datetime

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.records import Band, BandRecord
from vbvrdatafactory.s3 import records

log = logging.getLogger(__name__)


class Bands:
    """The bands that a worker knows: one that is filed never changes, so each is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, str], Band] = {}

    def find(self, store: ObjectStore, generator: str, code: str | None) -> Band | None:
        """The band of a generator's code; None where none is filed, or none can be read: then a batch shows its own."""
        if code is None:
            return None
        name = (id(store), generator, code)
        if name not in self._known:
            try:
                record = records.read(store, keys.band(generator, code), BandRecord)
            except (BaseError, DataFactoryError, OSError) as error:
                log.warning("the band of %s is not known: %s", generator, error)
                return None
            if record is None or record.code != code:
                return None
            self._known[name] = record.band
        return self._known[name]

    def file(self, store: ObjectStore, generator: str, code: str | None, band: Band) -> None:
        """File a band, unless another batch has filed one meanwhile: that one is for all."""
        if code is None:
            return
        record = BandRecord(generator=generator, code=code, band=band, made_at=datetime.now(UTC))
        data = (record.model_dump_json(indent=1) + "\n").encode()
        try:
            obstore.put(
                store,
                keys.band(generator, code),
                data,
                attributes={"Content-Type": "application/json"},
                mode="create",
                use_multipart=False,
            )
        except AlreadyExistsError:
            log.info("the band of %s is filed already", generator)
        except (BaseError, OSError) as error:
            # The next batch shows it again.
            log.warning("the band of %s was not filed: %s", generator, error)
