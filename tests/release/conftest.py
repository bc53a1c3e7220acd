"""Releases to read, check and publish."""

from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import LocalStore

from tests.release import folders
from vbvrdatafactory.driver.release_card import describe
from vbvrdatafactory.release.manifest import Release

Write = Callable[..., tuple[Path, Release]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a release with its card to a folder; arguments are those of `folders.write`."""

    def written(*arguments: object, into: str = "release", **changed: object) -> tuple[Path, Release]:
        folder = tmp_path / into
        folder.mkdir()
        release = folders.write(folder, *arguments, **changed)
        describe(LocalStore(folder))
        return folder, release

    return written


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in this process can open a connection."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("the network is not to be used here")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
