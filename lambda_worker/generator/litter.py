"""Files that a generator leaves in the temp folder outside of its sandbox: gone with its batch, where that folder is the worker's.

Landlock keeps a generator from writing there; AWS Lambda's kernel has none, and what stays in /tmp of a warm Lambda fills it up,
or is there to be read by the next generator. On a machine that others use too nothing is touched: what appears in its temp folder
while a batch runs may be anybody's. A Lambda's variables prove nothing, as the embedded AWS sets them on such a machine.
"""

import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lambda_worker.generator.removal import remove, unlink_or_is_folder
from vbvrdatafactory.core.escaping import for_terminal

log = logging.getLogger(__name__)

# Wherever TMPDIR points, this is where programs write that name a folder.
_TMP = "/tmp"  # noqa: S108

Names = frozenset[tuple[int, int]]


class TempFolders:
    """The temp folders of this host.

    Attributes:
        are_ours: whether they are this worker's alone.
    """

    def __init__(self) -> None:
        self.are_ours = False
        self._lock = threading.Lock()
        self._running = 0
        # None while nothing may be swept.
        self._before: Names | None = None

    @contextmanager
    def swept(self) -> Iterator[None]:
        """After the block, remove what appeared in them; of blocks side by side, after the last one."""
        with self._lock:
            if not self._running:
                self._before = _identities(self._entries()) if self.are_ours else None
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running and self._before is not None:
                    self._sweep(self._before)

    @staticmethod
    def _entries() -> list["os.DirEntry[str]"]:
        folders = {Path(folder).resolve() for folder in (tempfile.gettempdir(), _TMP)}
        return [entry for folder in sorted(folders) if folder.is_dir() for entry in os.scandir(folder)]

    def _sweep(self, before: Names) -> None:
        for entry in self._entries():
            try:
                found = entry.stat(follow_symlinks=False)
                if (found.st_dev, found.st_ino) in before or found.st_uid != os.geteuid():
                    continue
                if unlink_or_is_folder(entry):
                    remove(Path(entry.path))
            except FileNotFoundError:
                continue
            except OSError as error:
                log.warning("%s", for_terminal(f"what a generator left in the temp folder stays: {error}"))


def _identities(entries: list["os.DirEntry[str]"]) -> Names:
    """Device and inode of each: a name that a generator used again is another file."""
    found = set()
    for entry in entries:
        # It may have gone since it was listed.
        with suppress(FileNotFoundError):
            found.add((entry.stat(follow_symlinks=False).st_dev, entry.inode()))
    return frozenset(found)


temp_folders = TempFolders()
