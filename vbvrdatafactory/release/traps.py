"""What makes a release fail its users, by name; each with the next move.

Most of these end in no error: a dot in a key merges a whole shard into one row, and a group in two splits is a test set
that was trained on.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from vbvrdatafactory.core.contract import FINAL_FRAME, VIDEO


class Trap(StrEnum):
    """What is wrong."""

    # Of the layout of a shard.
    DOT_IN_KEY = "dot-in-key"
    NESTED_LAYOUT = "nested-layout"
    UNKNOWN_FILE = "unknown-file"
    SCATTERED_SAMPLE = "scattered-sample"
    KEY_TWICE = "key-twice"
    # Of its samples.
    MISSING_FILE = "missing-file"
    MISSING_FINAL_FRAME = "missing-final-frame"
    MISSING_VIDEO = "missing-video"
    NO_JSON = "metadata-is-no-json"
    NO_TEXT = "prompt-is-no-text"
    OTHER_CONTENT = "other-content"
    # Of the shards and the table.
    MISSING_SHARD = "missing-shard"
    STRAY_SHARD = "stray-shard"
    SHARD_HASH = "shard-hash"
    UNREADABLE_SHARD = "unreadable-shard"
    MISSING_COLUMN = "missing-column"
    NOT_IN_TABLE = "not-in-table"
    NOT_IN_SHARD = "not-in-shard"
    WRONG_OFFSET = "wrong-offset"
    WRONG_SPLIT = "wrong-split"
    WRONG_COUNT = "wrong-count"
    GROUP_IN_TWO_SPLITS = "group-in-two-splits"
    FPS_MISSING = "fps-missing"
    # Of what describes it.
    CLASHING_METADATA = "clashing-metadata"
    CARD = "card"
    CROISSANT = "croissant"
    STREAMING = "streaming"
    EXPORT = "export"
    LEDGER = "ledger"


_SHARD_AGAIN = "delete the shard, and run 'datafactory release build' again"
_BUILD_AGAIN = "run 'datafactory release build' again"
_MAKE_AGAIN = "make the sample again ('datafactory submit'), or leave its generator out of the release"

MOVES = {
    Trap.DOT_IN_KEY: "WebDataset cuts a name at its first dot, so all such samples become one row; "
    + _SHARD_AGAIN,
    Trap.NESTED_LAYOUT: "WebDataset takes files, not folders; " + _SHARD_AGAIN,
    Trap.UNKNOWN_FILE: "it would be a column that the other samples lack; " + _SHARD_AGAIN,
    Trap.SCATTERED_SAMPLE: "the files of a sample must be next to each other; " + _SHARD_AGAIN,
    Trap.KEY_TWICE: "rename one, or leave one out; " + _BUILD_AGAIN,
    Trap.MISSING_FILE: _MAKE_AGAIN,
    Trap.MISSING_FINAL_FRAME: _MAKE_AGAIN,
    Trap.MISSING_VIDEO: _MAKE_AGAIN,
    Trap.NO_JSON: _MAKE_AGAIN,
    Trap.NO_TEXT: _MAKE_AGAIN,
    Trap.OTHER_CONTENT: _SHARD_AGAIN,
    Trap.MISSING_SHARD: _BUILD_AGAIN,
    Trap.STRAY_SHARD: "the card's patterns would read it too: delete it, or build into another folder",
    Trap.SHARD_HASH: _SHARD_AGAIN,
    Trap.UNREADABLE_SHARD: _SHARD_AGAIN,
    Trap.MISSING_COLUMN: _BUILD_AGAIN,
    Trap.NOT_IN_TABLE: _BUILD_AGAIN,
    Trap.NOT_IN_SHARD: _SHARD_AGAIN,
    Trap.WRONG_OFFSET: _BUILD_AGAIN,
    Trap.WRONG_SPLIT: _BUILD_AGAIN,
    Trap.WRONG_COUNT: _BUILD_AGAIN,
    Trap.GROUP_IN_TWO_SPLITS: "equal puzzles must be in one split: " + _BUILD_AGAIN,
    Trap.FPS_MISSING: "run 'datafactory verify --deep' for its generator, or leave the sample out",
    Trap.CLASHING_METADATA: "give metadata.json the dtype json in the card's dataset_info, or "
    + _BUILD_AGAIN,
    Trap.CARD: _BUILD_AGAIN,
    Trap.CROISSANT: _BUILD_AGAIN,
    Trap.STREAMING: "read the error; " + _SHARD_AGAIN,
    Trap.EXPORT: "delete exports/, and build them again ('datafactory release build --export')",
    Trap.LEDGER: "look at the bucket ('datafactory verify'), then " + _BUILD_AGAIN,
}

_NAMED = {FINAL_FRAME: Trap.MISSING_FINAL_FRAME, VIDEO: Trap.MISSING_VIDEO}


class Finding(NamedTuple):
    """Something that is wrong: what it is called, the file, and what exactly."""

    trap: Trap
    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.trap}: {self.file}: {self.what}; {MOVES[self.trap]}"


def missing(file: str) -> Trap:
    """What it is called that a sample lacks a file."""
    return _NAMED.get(file, Trap.MISSING_FILE)


class Few:
    """The first findings of each trap in each file, and how many there are."""

    def __init__(self, most: int = 5) -> None:
        self._most = most
        self.counts: Counter[Trap] = Counter()
        self.kept: list[Finding] = []
        self._of_file: Counter[tuple[Trap, str]] = Counter()

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it if it is among the first."""
        self.counts[finding.trap] += 1
        self._of_file[finding.trap, finding.file] += 1
        if self._of_file[finding.trap, finding.file] <= self._most:
            self.kept.append(finding)

    def extend(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.add(finding)
