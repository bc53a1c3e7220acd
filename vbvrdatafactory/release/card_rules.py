"""What is wrong with what describes a release: its card's header, and ``croissant.json``."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from vbvrdatafactory.core.content import FileContent
from vbvrdatafactory.core.contract import METADATA
from vbvrdatafactory.core.parsing import parse_json
from vbvrdatafactory.release.layout import CARD, CROISSANT, FEATURES, TABLE
from vbvrdatafactory.release.manifest import Release
from vbvrdatafactory.release.traps import Finding, Trap

_JSON = "json"
# Dashes in a value are not those at the end: these have a line of their own.
_HEADER = re.compile(r"\s*^---\n(.*?)^---$", re.DOTALL | re.MULTILINE)


def header_of(text: str) -> dict[str, Any]:
    """The YAML at the head of a card; empty where it has none that can be read."""
    block = _HEADER.match(text)
    if block is None:
        return {}
    try:
        found = yaml.safe_load(block[1])
    except (yaml.YAMLError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def card_problems(text: str, release: Release, fields: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """What is wrong with a card's header.

    Args:
        text: the card.
        release: the manifest.
        fields: of each field at the top of the samples' metadata, the types that it has.
    """
    found = header_of(text)
    info = _default(found.get("dataset_info"))
    types = {_text(each, "name"): _text(each, "dtype") for each in _listed(info.get("features"))}
    clashing = sorted(name for name, kinds in fields.items() if len(kinds) > 1)
    for name, kind in FEATURES.items():
        if name == METADATA and types.get(name) != _JSON:
            says = f"has dtype {types[name]!r}" if name in types else "has no dtype"
            clash = f", and {', '.join(map(repr, clashing[:5]))} of it has several types" if clashing else ""
            yield Finding(Trap.CLASHING_METADATA, CARD, f"{name} {says} in the header{clash}")
        elif name not in types:
            yield Finding(Trap.MISSING_COLUMN, CARD, f"the header's features lack {name}")
        elif types[name] != kind:
            yield Finding(Trap.CARD, CARD, f"{name} has dtype {types[name]!r} in the header, not {kind!r}")
    splits = {_text(each, "name"): each.get("num_examples") for each in _listed(info.get("splits"))}
    if splits != {split: count for split, count in release.splits.items() if count}:
        yield Finding(Trap.CARD, CARD, f"its splits are {splits}, not {release.splits}")
    configured = {_text(each, "split") for each in _listed(_default(found.get("configs")).get("data_files"))}
    if lacking := [split for split, count in release.splits.items() if count and split not in configured]:
        yield Finding(Trap.CARD, CARD, f"the configuration 'default' has no files of split {lacking[0]!r}")


def croissant_problems(text: str, release: Release, table: FileContent) -> Iterator[Finding]:
    """Files whose size or SHA-256 in ``croissant.json`` is another than the manifest's."""
    expected = {shard.path: (f"{shard.bytes} B", shard.sha256) for shard in release.shards}
    expected[TABLE] = f"{table.size} B", table.sha256.hex()
    try:
        found = parse_json(text)
        listed = {
            each.get("contentUrl"): (each.get("contentSize"), each.get("sha256"))
            for each in _listed(found.get("distribution"))
        }
    except (ValueError, AttributeError) as error:
        yield Finding(Trap.CROISSANT, CROISSANT, f"it is no description of a dataset ({str(error)[:80]})")
        return
    for path, content in expected.items():
        if listed.get(path) != content:
            yield Finding(Trap.CROISSANT, CROISSANT, f"it has another size or SHA-256 of {path}, or none")


def _default(listed: object) -> dict[str, Any]:
    each = _listed(listed) or ([listed] if isinstance(listed, dict) else [])
    return next((one for one in each if one.get("config_name", "default") == "default"), {})


def _listed(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(found: Mapping[str, Any], name: str) -> str:
    return str(found.get(name, ""))
