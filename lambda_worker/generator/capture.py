"""Reads what a generator prints and keeps the end of it, however much it is.

Pipes, not files: nothing it prints fills the disk or ends it, and nothing inherits a descriptor of the worker's.
"""

import os
import threading
from typing import IO

KEPT_BYTES = 32 * 1024
_TAIL_LINES = 40
_GENERATED = b"Generated:"


class Capture:
    """The end of one stream, and how many lines of it say that a sample is finished."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = bytearray()
        self.generated = 0
        self._reader = threading.Thread(target=self._read, name="capture", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        seam = b""
        while data := os.read(self._stream.fileno(), 64 * 1024):
            # A line's mark may be cut in two by the pipe.
            joined = seam + data
            self.generated += joined.count(_GENERATED)
            seam = joined[-len(_GENERATED) + 1 :]
            self._kept += data
            del self._kept[:-KEPT_BYTES]

    def finish(self) -> None:
        """Wait for the end of the stream; call when every process that may hold it has ended."""
        self._reader.join(timeout=5)
        if not self._reader.is_alive():
            self._stream.close()

    @property
    def tail(self) -> str:
        """The last lines."""
        return "\n".join(bytes(self._kept).decode(errors="replace").splitlines()[-_TAIL_LINES:])
