"""A command run against the embedded AWS: its environment, its signals, its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

from vbvrdatafactory.core.config import ENV_FILE_VARIABLE
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.proxies import no_proxy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from infra.addresses import EmbeddedInfo
    from infra.local import EmbeddedAws

_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def child_environment(outer: Mapping[str, str], info: EmbeddedInfo) -> dict[str, str]:
    """The user's environment with everything about AWS replaced: no real account can be meant."""
    kept = {name: value for name, value in outer.items() if not name.startswith("AWS_")}
    return {
        **kept,
        **no_proxy(outer),
        # Spelt out as well: variables of the process win over the file, and other tools read no file.
        **info.variables,
        "AWS_DEFAULT_REGION": info.region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        ENV_FILE_VARIABLE: str(info.env_file),
    }


def run(embedded: EmbeddedAws, command: Sequence[str], outer: Mapping[str, str] = os.environ) -> int:
    """The exit code of `command`, run in the environment `outer`; what was started for it is stopped whatever happens."""
    with _Signals() as signals, embedded.running() as info:
        try:
            code = signals.launch(command, child_environment(outer, info)).wait()
        except OSError as error:
            raise DataFactoryError(f"cannot run {command[0]!r}: {error.strerror}") from error
        signals.ignore()
    return code if code >= 0 else 128 - code


class _Signals:
    """Hands signals on to the child; without a child, they end this process in good order."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._launching = False
        self._held: list[int] = []

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._handle) for number in _HANDLED}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def launch(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start the child; a signal that comes meanwhile is held until there is one to take it."""
        self._launching = True
        try:
            self._child = subprocess.Popen(command, env=environment)  # noqa: S603
        finally:
            self._launching = False
        for number in self._held:
            self._child.send_signal(number)
        return self._child

    def ignore(self) -> None:
        """What is stopping now is not to be stopped."""
        for number in _HANDLED:
            signal.signal(number, signal.SIG_IGN)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._launching:
            self._held.append(number)
        elif self._child is None:
            self.ignore()
            sys.exit(128 + number)
        # Ctrl-C goes from the terminal to the child as well, which must not see it twice.
        elif number != signal.SIGINT or not sys.stdin.isatty():
            self._child.send_signal(number)
