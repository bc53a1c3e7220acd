"""The worker as a zip file: the same sources give the same bytes on every machine."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.files import readable_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# Zip files know no time before it.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o100644 << 16


@dataclass(frozen=True)
class Bundle:
    """A zip file and the digest it is stored under."""

    content: bytes
    digest: str

    @property
    def key(self) -> str:
        return f"worker/{self.digest}.zip"


def build(packages: Iterable[Path]) -> Bundle:
    """Zip the Python sources of some packages and the lists that these read, each under its own name."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:
        for name, source in _sources(packages):
            entry = ZipInfo(name, _EPOCH)
            entry.external_attr = _READABLE
            archive.writestr(entry, source)
    content = buffer.getvalue()
    return Bundle(content, hashlib.sha256(content).hexdigest())


def _sources(packages: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for package in sorted(packages):
        found = list(readable_files(package, _is_source))
        if not found:
            raise DataFactoryError(f"the worker's package {str(package)!r} has no Python source")
        for path, source in found:
            yield f"{package.name}/{path.as_posix()}", source


def _is_source(path: Path) -> bool:
    # What is not printable is no text that a zip file takes for a name.
    return path.name.endswith((".py", ".json")) and path.as_posix().isprintable()
