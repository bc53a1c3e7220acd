"""The bytes of one sample's files, from its objects or out of an archive, to show them."""

import tarfile
import zlib
from tempfile import TemporaryFile
from typing import IO

from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.contract import KNOWN_FILES
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.ledger.places import Place
from vbvrdatafactory.s3 import reading

# A file has some megabytes at the most; what is larger is not shown.
_MOST_BYTES = 64 * 1024 * 1024
_DAMAGED = (tarfile.TarError, EOFError, OSError, zlib.error)


def read_sample(store: ObjectStore, place: Place, generator: str) -> dict[str, bytes]:
    """The bytes of a sample's files, by their names; only of those that the contract knows.

    Raises:
        DataFactoryError: they can't be read.
    """
    try:
        if place.archive:
            return _unpack(store, place.archive, generator, place.sample_index)
        names = {one.key.rpartition("/")[2]: one.key for one in place.objects}
        return {
            name: reading.read(store, key, at_most=_MOST_BYTES).data
            for name, key in names.items()
            if name in KNOWN_FILES
        }
    except (BaseError, *_DAMAGED) as error:
        raise DataFactoryError(
            f"sample {place.sample_index} of {generator} can't be read: {error}"
        ) from error


def _unpack(store: ObjectStore, archive: str, generator: str, index: int) -> dict[str, bytes]:
    with TemporaryFile() as file:
        reading.stream(store, archive, file.write, lambda: (file.seek(0), file.truncate()))
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:gz") as tar:
            found = [member for member in tar if _is_of(member, generator, index)]
            return {member.name.rpartition("/")[2]: _bytes(tar.extractfile(member)) for member in found}


def _is_of(member: tarfile.TarInfo, generator: str, index: int) -> bool:
    folder, _, name = member.name.rpartition("/")
    sample = keys.parse_sample_folder(f"{keys.QUESTIONS}{folder}")
    return (
        sample is not None
        and (sample.generator, sample.sample_index) == (generator, index)
        and name in KNOWN_FILES
        and member.isreg()
        and member.size <= _MOST_BYTES
    )


def _bytes(file: IO[bytes] | None) -> bytes:
    return file.read() if file else b""
