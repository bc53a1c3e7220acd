"""Which files make a sample whole, by name, size and bytes.

A sample is a folder. ``first_frame.png`` and ``prompt.txt`` must be there; a dataset may require more.
A required file of zero bytes is not there. Bytes are checked where the files are made; a listing shows
only names and sizes.
"""

import errno
import json
import os
import stat
import zlib
from collections.abc import Iterable
from pathlib import Path

from vbvrdatafactory.core.errors import SpecError

FIRST_FRAME = "first_frame.png"
FINAL_FRAME = "final_frame.png"
PROMPT = "prompt.txt"
VIDEO = "ground_truth.mp4"
METADATA = "metadata.json"
QUESTION_METADATA = "question_metadata.json"

ALWAYS_REQUIRED = (FIRST_FRAME, PROMPT)
KNOWN_FILES = (FIRST_FRAME, PROMPT, FINAL_FRAME, VIDEO, METADATA, QUESTION_METADATA)
ALL_FIVE = (FIRST_FRAME, PROMPT, FINAL_FRAME, VIDEO, METADATA)

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def required_files(extra: Iterable[str] = ()) -> tuple[str, ...]:
    """The files a sample must have: the two of the contract and what a dataset asks for besides.

    Raises:
        SpecError: a name that is not one of `KNOWN_FILES`.
    """
    wanted = {*ALWAYS_REQUIRED, *extra}
    unknown = sorted(wanted - set(KNOWN_FILES))
    if unknown:
        raise SpecError(f"no sample has a file {unknown[0]!r}; the known ones are {', '.join(KNOWN_FILES)}")
    return tuple(name for name in KNOWN_FILES if name in wanted)


def defects(folder: Path, required: Iterable[str] = ALWAYS_REQUIRED) -> list[str]:
    """What is wrong with the sample in `folder`: missing, empty or cut files, each as ``name: what``."""
    found = []
    for name in required:
        path = folder / name
        if path.is_symlink() or not path.is_file():
            found.append(f"{name}: missing")
    present = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink())
    found.extend(f"{path.name}: {what}" for path in present if (what := file_defect(path)))
    return found


def read_regular(path: Path) -> bytes:
    """The bytes of a regular file; never follows a link, never waits for a FIFO that took its place.

    Raises:
        OSError: it is something else by now, or gone.
    """
    with open(path, "rb", opener=_open_regular) as file:
        return file.read()


def _open_regular(path: str, flags: int) -> int:
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return handle


def file_defect(path: Path) -> str | None:
    """What makes this file unusable, or None. PNG, MP4, JSON and the prompt are read; others need a byte."""
    try:
        data = read_regular(path)
    except OSError as error:
        return f"unreadable: {error.strerror or error}"
    if not data:
        return "empty"
    check = _prompt_defect if path.name == PROMPT else _CHECKS.get(path.suffix)
    return check(data) if check else None


def _prompt_defect(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    if "\0" in text:
        return "not text"
    return None if text.strip() else "blank"


def _png_defect(data: bytes) -> str | None:
    if not data.startswith(_PNG_SIGNATURE):
        return "not a PNG"
    at = len(_PNG_SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        checksum = data[at + 8 + length : at + 12 + length]
        if len(checksum) < 4:
            break
        if zlib.crc32(body) != int.from_bytes(checksum, "big"):
            return "a damaged PNG"
        if body.startswith(b"IEND"):
            return None
        at += 12 + length
    return "a PNG cut short"


def _mp4_defect(data: bytes) -> str | None:
    boxes, at = set(), 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        elif size == 0:
            size = len(data) - at
        if size < 8:
            return "not an MP4"
        boxes.add(kind)
        at += size
    if b"ftyp" not in boxes:
        return "not an MP4"
    if at != len(data) or not boxes >= {b"moov", b"mdat"}:
        return "an MP4 cut short"
    return None


def _json_defect(data: bytes) -> str | None:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return "not JSON"
    return None


_CHECKS = {".png": _png_defect, ".mp4": _mp4_defect, ".json": _json_defect}
