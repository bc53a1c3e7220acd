"""Reads a shard once from begin to end: its SHA-256, its samples, and what is wrong in it."""

import tarfile
from collections import defaultdict
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from vbvrdatafactory.core.content import FileContent, HashedFile
from vbvrdatafactory.core.contract import METADATA, PROMPT
from vbvrdatafactory.release.shard_rules import (
    Member,
    Scanned,
    fields_of,
    file_problems,
    group_members,
    name_problems,
    text_problems,
)
from vbvrdatafactory.release.traps import Finding, Trap

_BUFFER = 1024 * 1024
_READ_AS_TEXT = (f".{PROMPT}", f".{METADATA}")
# Of fields of metadata, and of types of each.
_MOST_FIELDS = 1000


class Scan(NamedTuple):
    """What a shard holds.

    Args:
        content: its size and SHA-256.
        samples: its samples, in their order.
        findings: what is wrong in it.
        fields: of each field at the top of its metadata, the types that it has.
    """

    content: FileContent
    samples: list[Scanned]
    findings: list[Finding]
    fields: dict[str, set[str]]


def scan(folder: Path, path: str, required: tuple[str, ...]) -> Scan:
    """Read the shard at `path` in `folder`.

    Raises:
        OSError: it can't be opened.
    """
    findings, fields = list[Finding](), defaultdict[str, set[str]](set)
    members: list[Member] = []
    with (folder / path).open("rb") as file:
        hashed = HashedFile(file)
        try:
            members = _members(hashed)
        except (tarfile.TarError, EOFError) as error:
            findings.append(Finding(Trap.UNREADABLE_SHARD, path, f"it is no tar to its end ({error})"))
        for _ in hashed.pieces():
            pass
    findings += name_problems(path, (member.name for member in members))
    for member in members:
        findings += text_problems(path, member)
        if member.name.endswith(_READ_AS_TEXT[1]) and len(fields) < _MOST_FIELDS:
            for name, kind in fields_of(member.data).items():
                fields[name].add(kind)
    samples, wrong = group_members(path, members)
    findings += [*wrong, *file_problems(path, samples, required)]
    return Scan(hashed.content, samples, findings, dict(fields))


def _members(hashed: HashedFile) -> list[Member]:
    found = []
    with tarfile.open(fileobj=cast(BinaryIO, hashed), mode="r|", bufsize=_BUFFER) as tar:
        for entry in tar:
            data = tar.extractfile(entry)
            if data is None:
                found.append(Member(f"{entry.name}/", entry.offset, FileContent(0, b"")))
                continue
            inner = HashedFile(cast(BinaryIO, data))
            kept = b"".join(inner.pieces()) if entry.name.endswith(_READ_AS_TEXT) else _skip(inner)
            found.append(Member(entry.name, entry.offset, inner.content, kept))
    return found


def _skip(file: HashedFile) -> bytes:
    for _ in file.pieces():
        pass
    return b""
