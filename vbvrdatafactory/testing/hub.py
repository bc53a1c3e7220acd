"""A stand-in of the Hugging Face Hub on loopback, which `huggingface_hub` and `datasets` take for it.

Set ``HF_ENDPOINT`` to its address, ``HF_HUB_DISABLE_XET=1``, as it takes uploads as Git LFS does, and ``HF_TOKEN`` to `TOKEN`. It keeps
all in memory, and answers late, with an error, or not at all, as its `faults` say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from threading import Thread

from vbvrdatafactory.testing.hub_files import Fault, HubFiles, Stored
from vbvrdatafactory.testing.hub_requests import TOKEN, Handler

__all__ = ["TOKEN", "Fault", "LoopbackHub", "Stored"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error of the Hub."""


class LoopbackHub(HubFiles):
    """The stand-in; `HubFiles` says what of it can be seen and set.

    Attributes:
        endpoint: its address.
    """

    def __init__(self) -> None:
        super().__init__()
        self._server = _Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._server.RequestHandlerClass = type("Here", (Handler,), {"hub": self, "endpoint": self.endpoint})

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a program that is to use it."""
        return {"HF_ENDPOINT": self.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN}

    @contextmanager
    def serving(self) -> Iterator[LoopbackHub]:
        """Answer requests within the block."""
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
