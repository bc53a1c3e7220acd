"""Whether deploying again would change anything."""

import subprocess
import sys
import time
from typing import Any

import pytest

from infra import paths
from infra.deployed import CODE, FRESH_SECONDS, Deployed
from infra.prefect_api import PrefectApi


class Server(PrefectApi):
    """Holds one of each thing that deploying puts there."""

    def __init__(self, url: str = "http://127.0.0.1:1/api") -> None:
        super().__init__(url, "u:p")
        self.holds: dict[str, Any] = {
            "id": "d",
            "paused": False,
            "updated": 1,
            "status": "READY",
            "last_polled": 1,
        }

    def ask(self, path: str, body: object = None, method: str = "POST") -> Any:
        return [self.holds, path]


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "automations").mkdir()
    (tmp_path / "automations" / "a.yaml").write_text("[]")
    (tmp_path / "prefect.yaml").write_text("name: x")
    (tmp_path / "generators" / "V-1" / "examples").mkdir(parents=True)
    (tmp_path / "generators" / "V-1" / "examples" / "generate.py").touch()
    return tmp_path


def test_what_was_just_deployed_is_current_until_something_changes(checkout, monkeypatch) -> None:
    """A file, a generator, the server's address, what somebody changed there, and a week's time each count."""
    server, generators = Server(), checkout / "generators"
    deployed = Deployed(checkout / "deployed.json", checkout)

    def current(of: PrefectApi = server) -> bool:
        return deployed.is_current(of, "pool", generators)

    assert not current()
    deployed.note(server, "pool", generators)
    server.holds |= {"updated": 2, "status": "NOT_READY", "last_polled": 3}
    assert current()
    assert not current(Server("http://127.0.0.1:2/api"))
    server.holds["paused"] = True
    assert not current()
    server.holds["paused"] = False
    for file in (checkout / "prefect.yaml", checkout / "automations" / "a.yaml"):
        before = file.read_text()
        file.write_text(before + "#")
        assert not current()
        file.write_text(before)
    (generators / "V-2" / "examples").mkdir(parents=True)
    assert current()
    (generators / "V-2" / "examples" / "generate.py").touch()
    assert not current()
    (generators / "V-2" / "examples" / "generate.py").unlink()
    assert current()
    later = time.time() + FRESH_SECONDS + 1
    monkeypatch.setattr("infra.deployed.time.time", lambda: later)
    assert not current()


def test_what_the_form_is_made_of_is_watched() -> None:
    """Whatever of the library the form's types come from lies in a folder whose change makes a new deployment."""
    program = "import sys, flows.form; print(*(m for m in sys.modules if m.startswith('vbvrdatafactory.')))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=paths.CHECKOUT, capture_output=True, text=True, check=True
    )
    rooms = {"/".join(module.split(".")[:2]) for module in loaded.stdout.split()}
    assert rooms <= {room.removesuffix(".py") for room in CODE}
