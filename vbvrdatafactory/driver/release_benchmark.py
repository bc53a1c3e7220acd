"""Reads a public benchmark: the digests of its samples, and what their first frames look like."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from vbvrdatafactory.core.content import CONTENT_FILES, FileContent, content_digest
from vbvrdatafactory.core.contract import FIRST_FRAME
from vbvrdatafactory.core.errors import ReleaseError
from vbvrdatafactory.release.manifest import Compared
from vbvrdatafactory.release.pictures import Look, Looks, look_at

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_ROWS = 100


class Benchmark(NamedTuple):
    """Samples of a benchmark.

    Args:
        name: of its folder or file.
        digests: the sample's name, by the digest of its content.
        names: the names of those whose first frame is known.
        looks: what each of these frames looks like.
    """

    name: str
    digests: Mapping[str, str]
    names: tuple[str, ...]
    looks: Looks

    @property
    def compared(self) -> Compared:
        """What a manifest says of it."""
        digest = sha256(self.looks.bits.tobytes() + self.looks.small.tobytes())
        digest.update("".join(sorted(self.digests)).encode())
        count = len({*self.names, *self.digests.values()})
        return Compared(name=self.name, samples=count, sha256=digest.hexdigest())

    def find(self, digest: str, frame: bytes | None) -> str | None:
        """The sample of it that one with this digest and first frame equals; None where none does."""
        if digest in self.digests:
            return self.digests[digest]
        look = look_at(frame) if frame else None
        at = self.looks.find(look) if look else None
        return None if at is None else self.names[at]


class _Seen(NamedTuple):
    name: str
    digest: str = ""
    look: Look | None = None


def read_benchmark(path: Path) -> Benchmark:
    """The benchmark in a folder, or in a Parquet file.

    A folder has a folder for each sample, with the files that ours have; or, where none has a ``first_frame.png``, pictures
    that are first frames. A Parquet file has pictures in a column, a column ``digest``, or both.

    Raises:
        ReleaseError: there is nothing in it to compare with.
    """
    if path.is_dir():
        seen = [*_in_folder(path)]
    elif path.is_file():
        try:
            seen = [*_in_parquet(path)]
        except pa.ArrowException as error:
            raise ReleaseError(f"{str(path)!r} is no Parquet file: {error}") from error
    else:
        raise ReleaseError(
            f"{str(path)!r} is neither a folder nor a file; name one with a benchmark's samples"
        )
    with_looks = [(one.name, one.look) for one in seen if one.look is not None]
    digests = {one.digest: one.name for one in seen if one.digest}
    if not with_looks and not digests:
        raise ReleaseError(
            f"{str(path)!r} holds nothing to compare with: no {FIRST_FRAME}, no picture, no column 'digest'"
        )
    return Benchmark(
        path.resolve().name,
        digests,
        tuple(name for name, _ in with_looks),
        Looks.of([look for _, look in with_looks]),
    )


def _in_folder(folder: Path) -> Iterator[_Seen]:
    frames = sorted(folder.rglob(FIRST_FRAME))
    for frame in frames:
        files = {name: frame.with_name(name) for name in CONTENT_FILES}
        sums = {name: FileContent.of(file.read_bytes()) for name, file in files.items() if file.is_file()}
        name = f"{folder.name}/{frame.parent.relative_to(folder)}"
        yield _Seen(name, content_digest(sums), look_at(frame.read_bytes()))
    if not frames:
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() in _PICTURES and file.is_file():
                yield _Seen(f"{folder.name}/{file.relative_to(folder)}", look=look_at(file.read_bytes()))


def _in_parquet(path: Path) -> Iterator[_Seen]:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        picture = _picture_column(schema)
        digest = "digest" if "digest" in schema.names else None
        name = next((one for one in ("key", "id", "name") if one in schema.names), None)
        columns = [one for one in (picture, digest, name) if one]
        number = 0
        for batch in file.iter_batches(_ROWS, columns=columns) if columns else ():
            for row in batch.to_pylist():
                shown = row[name] if name else f"row {number}"
                number += 1
                data = _bytes_of(row[picture]) if picture else None
                told = row[digest] if digest else None
                yield _Seen(
                    f"{path.name}/{shown}",
                    told if isinstance(told, str) else "",
                    look_at(data) if data else None,
                )


def _picture_column(schema: pa.Schema) -> str | None:
    """The column of first frames: the one whose name says so, else the first that may hold pictures."""
    found = [
        field.name
        for field in schema
        if pa.types.is_binary(field.type)
        or pa.types.is_large_binary(field.type)
        or (pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0)
    ]
    return next((name for name in found if "first" in name.lower()), found[0] if found else None)


def _bytes_of(value: Any) -> bytes | None:  # noqa: ANN401 - bytes, a struct that holds them, or null
    found = value.get("bytes") if isinstance(value, dict) else value
    return found if isinstance(found, bytes) else None
