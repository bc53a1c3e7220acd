"""Which files of a sample on disk are missing, empty, cut short or damaged.

A required file of zero bytes counts as missing, and an empty file of a name that samples do not have, such as
``.done``, is ignored.
"""

import json
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from vbvrdatafactory.core.contract import ALWAYS_REQUIRED, KNOWN_FILES, PROMPT
from vbvrdatafactory.core.escaping import for_terminal
from vbvrdatafactory.files import open_regular

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIECE = 1024 * 1024
# A prompt or a metadata file is read as a whole; real ones have a few kilobytes.
_MOST_TEXT = 16 * 1024 * 1024
# Of C0 and C1 a prompt may have tabs and ends of lines.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_TOO_LARGE = f"larger than {_MOST_TEXT >> 20} MB"


def defects(folder: Path, required: Iterable[str] = ALWAYS_REQUIRED) -> list[str]:
    """What is wrong with the sample in `folder`: files that are missing, empty, cut or can't be stored under their names.

    Each as ``name: what``, the name without control over a terminal.
    """
    found = []
    for name in required:
        path = folder / name
        if path.is_symlink() or not path.is_file():
            found.append(f"{name}: missing")
    present = (path for path in sorted(folder.iterdir()) if counts(path))
    found.extend(f"{for_terminal(path.name)}: {what}" for path in present if (what := _defect(path)))
    return found


def can_be_in_a_key(name: str) -> bool:
    r"""Whether the bucket can have exactly this name as a part of a key, and whoever downloads it as a file's.

    >>> [can_be_in_a_key(name) for name in ("-rf", "a%2fb", " x", "", "a\nb", "a\\b")]
    [True, True, True, False, False, False]
    """
    # A key has 1024 bytes in all; bytes that are no UTF-8 appear as surrogates, which aren't printable.
    return bool(name) and name.isprintable() and "\\" not in name and len(name.encode()) <= 200


def _defect(path: Path) -> str | None:
    return file_defect(path) if can_be_in_a_key(path.name) else "no key can have this name"


def counts(path: Path) -> bool:
    """Whether a sample has this as a file of its own: a regular file that is not empty, or of a known name."""
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and (status.st_size > 0 or path.name in KNOWN_FILES)


def file_defect(path: Path) -> str | None:
    """What makes this file unusable, or None. PNG, MP4, JSON and the prompt are read; others need a byte.

    However large the file, little of it is in memory at once.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            check = _prompt_defect if path.name == PROMPT else _CHECKS.get(path.suffix, _no_defect)
            return check(file, size) if size else "empty"
    except OSError as error:
        return f"unreadable: {error.strerror or error}"


def _no_defect(file: BinaryIO, size: int) -> None:
    del file, size


def _prompt_defect(file: BinaryIO, size: int) -> str | None:
    if size > _MOST_TEXT:
        return _TOO_LARGE
    try:
        text = file.read().decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    if control := _CONTROL.search(text):
        return f"not text: it has {control[0]!r}"
    return None if text.strip() else "blank"


def _png_defect(file: BinaryIO, size: int) -> str | None:
    if file.read(len(_PNG_SIGNATURE)) != _PNG_SIGNATURE:
        return "not a PNG"
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if length > size:
            break
        checksum = zlib.crc32(kind)
        for at in range(0, length, _PIECE):
            checksum = zlib.crc32(file.read(min(_PIECE, length - at)), checksum)
        stored = file.read(4)
        if len(stored) < 4:
            break
        if checksum != int.from_bytes(stored, "big"):
            return "a damaged PNG"
        if kind == b"IEND":
            return None
    return "a PNG cut short"


def _mp4_defect(file: BinaryIO, size: int) -> str | None:
    boxes, at = set(), 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            length = size - at
        if length < 8:
            return "not an MP4"
        boxes.add(kind)
        at += length
    if b"ftyp" not in boxes:
        return "not an MP4"
    if at != size or not boxes >= {b"moov", b"mdat"}:
        return "an MP4 cut short"
    return None


def _json_defect(file: BinaryIO, size: int) -> str | None:
    if size > _MOST_TEXT:
        return _TOO_LARGE
    try:
        json.loads(file.read())
    except (ValueError, RecursionError):
        return "not JSON"
    return None


_CHECKS: dict[str, Callable[[BinaryIO, int], str | None]] = {
    ".png": _png_defect,
    ".mp4": _mp4_defect,
    ".json": _json_defect,
}
