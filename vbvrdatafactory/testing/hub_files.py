"""What the stand-in of the Hub holds: repositories of datasets, their commits, and large files."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from hashlib import sha1, sha256
from threading import Lock
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """How a request is answered: late, with an error that says something, or with its connection cut."""

    seconds: float = 0
    status: int = 0
    cut: bool = False
    said: str = "as the test has it"


class Stored(NamedTuple):
    """A file of a repository."""

    data: bytes
    is_large: bool

    @property
    def oid(self) -> str:
        """What tells its content: SHA-256 of a large file, else what Git calls it by."""
        return sha256(self.data).hexdigest() if self.is_large else git_digest(self.data)


def git_digest(data: bytes) -> str:
    """The name that Git has for a file's content."""
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class HubFiles:
    """What it holds, in memory.

    Attributes:
        repositories: files by path, of each dataset repository by name.
        commits: messages of the commits, in their order.
        received: digests of large files that were sent to it, in their order.
        faults: called with the method and path of each request; says how it is answered, None for as it should be.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, Stored]] = {}
        self.commits: list[str] = []
        self.received: list[str] = []
        self.faults: Callable[[str, str], Fault | None] = lambda _method, _path: None
        self._large: dict[str, bytes] = {}
        self._lock = Lock()

    def head(self, repository: str) -> str:
        """The commit that a repository is at."""
        listed = sorted((path, each.oid) for path, each in self.repositories[repository].items())
        return sha1(json.dumps([listed, self.commits]).encode(), usedforsecurity=False).hexdigest()

    def put_large(self, oid: str, data: bytes) -> bool:
        """Take a large file; False if it is not what its digest says."""
        with self._lock:
            if sha256(data).hexdigest() != oid:
                return False
            self._large[oid] = data
            self.received.append(oid)
            return True

    def has_large(self, oid: str) -> bool:
        return oid in self._large

    def commit(self, repository: str, lines: list[dict[str, Any]]) -> str:
        """Change a repository, all or nothing; returns what is wrong, empty if nothing is."""
        with self._lock:
            files = dict(self.repositories[repository])
            for line in lines:
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = Stored(b64decode(value["content"]), is_large=False)
                elif line["key"] == "lfsFile":
                    if value["oid"] not in self._large:
                        return f"{value['path']} was not uploaded"
                    files[value["path"]] = Stored(self._large[value["oid"]], is_large=True)
                elif line["key"] == "deletedFile":
                    files.pop(value["path"], None)
            self.repositories[repository] = files
            self.commits.append(lines[0]["value"]["summary"])
            return ""
