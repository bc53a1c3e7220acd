"""What is wrong with the samples of one shard, and with their rows in ``metadata.parquet``."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from vbvrdatafactory.core.content import FileContent, content_digest, metadata_digest
from vbvrdatafactory.core.contract import FINAL_FRAME, FIRST_FRAME, METADATA, PROMPT, QUESTION_METADATA, VIDEO
from vbvrdatafactory.core.parsing import parse_json
from vbvrdatafactory.release.layout import MEMBERS
from vbvrdatafactory.release.traps import Finding, Trap, missing

_LONGEST_NUMBER = 19


class Member(NamedTuple):
    """A file in a shard: its name, where its header begins, and its content; `data` only of prompts and metadata."""

    name: str
    offset: int
    content: FileContent
    data: bytes = b""


class Scanned(NamedTuple):
    """A sample in a shard: its key, where its first member's header begins, and its files by name."""

    key: str
    offset: int
    files: Mapping[str, FileContent]


class Row(NamedTuple):
    """The row of a sample."""

    key: str
    split: str
    prompt: str
    offset: int
    digest: str
    metadata_digest: str
    fps: float | None


def split_name(name: str) -> tuple[str, str] | None:
    """(key, file) of a member; None where it is no file of a sample.

    >>> split_name("V-1_maze-000001.prompt.txt"), split_name("x.jpg")
    (('V-1_maze-000001', 'prompt.txt'), None)
    """
    found = next((file for file in MEMBERS if name.endswith(f".{file}")), None)
    return (name[: -len(found) - 1], found) if found else None


def name_problems(path: str, names: Iterable[str]) -> Iterator[Finding]:
    """What is wrong with the names of the members of a shard."""
    for name in names:
        if "/" in name:
            yield Finding(Trap.NESTED_LAYOUT, path, f"{name!r} lies in a folder")
        elif (parts := split_name(name)) is None:
            yield Finding(Trap.UNKNOWN_FILE, path, f"{name!r} is none of KEY.{', KEY.'.join(MEMBERS)}")
        elif "." in parts[0] or not parts[0]:
            yield Finding(Trap.DOT_IN_KEY, path, f"the key of {name!r} has a dot")


def group_members(path: str, members: Iterable[Member]) -> tuple[list[Scanned], list[Finding]]:
    """The samples of a shard as WebDataset sees them, members of one key next to each other, and what is wrong there."""
    samples: dict[str, Scanned] = {}
    findings, last = list[Finding](), ""
    for member in members:
        if (parts := split_name(member.name)) is None:
            continue
        key, file = parts
        if key not in samples:
            samples[key] = Scanned(key, member.offset, {})
        elif file in samples[key].files:
            findings.append(Finding(Trap.KEY_TWICE, path, f"{member.name!r} is there twice"))
        elif key != last:
            findings.append(Finding(Trap.SCATTERED_SAMPLE, path, f"files of {key!r} lie apart"))
        samples[key] = samples[key]._replace(files={**samples[key].files, file: member.content})
        last = key
    return [*samples.values()], findings


def file_problems(path: str, samples: Iterable[Scanned], required: Sequence[str]) -> Iterator[Finding]:
    """Required files that samples lack."""
    for sample in samples:
        for file in required:
            if file not in sample.files:
                yield Finding(missing(file), path, f"{sample.key!r} has no {file}")


def text_problems(path: str, member: Member) -> Iterator[Finding]:
    """What keeps readers from a prompt or metadata."""
    if member.name.endswith(f".{PROMPT}"):
        try:
            member.data.decode()
        except UnicodeDecodeError:
            yield Finding(Trap.NO_TEXT, path, f"{member.name!r} is no UTF-8")
    elif member.name.endswith(f".{METADATA}"):
        try:
            found = json.loads(member.data, parse_int=_small)
            # Half a surrogate pair, which an escape may be, ends a stream.
            json.dumps(found, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            yield Finding(Trap.NO_JSON, path, f"{member.name!r} is no JSON ({str(error)[:80]})")


def _small(number: str) -> int:
    """Of what `datasets` decodes; it raises on larger ones."""
    if len(number) > _LONGEST_NUMBER:
        raise ValueError(f"{number[:_LONGEST_NUMBER]}… has more digits than readers take")
    return int(number)


def fields_of(data: bytes) -> dict[str, str]:
    """The type of each field at the top of a sample's metadata, as ``{"size": "int"}``; empty where it has none."""
    try:
        found = parse_json(data)
    except ValueError:
        return {}
    return {name: type(value).__name__ for name, value in found.items()} if isinstance(found, dict) else {}


def compare(path: str, split: str, samples: Sequence[Scanned], rows: Mapping[str, Row]) -> Iterator[Finding]:
    """How the samples of a shard differ from their rows.

    Args:
        path: of the shard.
        split: the split that the manifest says it is of.
        samples: what is in it.
        rows: the rows that name this shard, by key.
    """
    for sample in samples:
        row = rows.get(sample.key)
        if row is None:
            yield Finding(Trap.NOT_IN_TABLE, path, f"{sample.key!r} has no row in metadata.parquet")
        else:
            yield from _differences(path, split, sample, row)
    for key in rows.keys() - {sample.key for sample in samples}:
        yield Finding(Trap.NOT_IN_SHARD, path, f"{key!r} has a row, and is not in the shard")


def _differences(path: str, split: str, sample: Scanned, row: Row) -> Iterator[Finding]:
    if row.split != split:
        yield Finding(Trap.WRONG_SPLIT, path, f"{sample.key!r} is of split {row.split!r} by its row")
    if row.offset != sample.offset:
        yield Finding(
            Trap.WRONG_OFFSET, path, f"{sample.key!r} begins at {sample.offset:,}, not {row.offset:,}"
        )
    if (found := content_digest(sample.files)) != row.digest:
        yield Finding(
            Trap.OTHER_CONTENT, path, f"{sample.key!r} has digest {found[:16]}…, not {row.digest[:16]}…"
        )
    if not has_metadata_digest(sample.files, row.metadata_digest):
        yield Finding(Trap.OTHER_CONTENT, path, f"the metadata of {sample.key!r} has another digest")
    if VIDEO in sample.files and not row.fps:
        yield Finding(Trap.FPS_MISSING, path, f"{sample.key!r} has a video and no fps in its row")


def has_metadata_digest(files: Mapping[str, FileContent], expected: str) -> bool:
    """Whether the files that are no content have this digest, metadata under either of its names."""
    others = {
        name: content
        for name, content in files.items()
        if name not in (FIRST_FRAME, FINAL_FRAME, PROMPT, VIDEO)
    }
    renamed: dict[str, Any] = {
        QUESTION_METADATA if name == METADATA else name: c for name, c in others.items()
    }
    return expected in (metadata_digest(others), metadata_digest(renamed))
