"""Whether the server already holds what this checkout would put there: deploying takes a Prefect of its own."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from infra import paths
from vbvrdatafactory.fleet.catalogue import list_generators

if TYPE_CHECKING:
    from pathlib import Path

    from infra.prefect_api import PrefectApi

# What deploying leaves on the server for the notifications is good for thirty days.
FRESH_SECONDS = 7 * 24 * 3600.0
# They change by themselves.
_VOLATILE = {"updated", "status", "last_polled"}

# What the deployments, and the form that Prefect keeps of them, are made of.
CODE = (
    "deployments",
    "flows",
    *(f"vbvrdatafactory/{room}" for room in ("core", "planning", "control", "fleet", "lockfile.py")),
)


class Deployed:
    """What was deployed last, as a digest of what it was made of and one of what was then on the server.

    Args:
        file: remembers it, beside the server's database.
        checkout: holds `prefect.yaml` and `automations/`.
    """

    def __init__(self, file: Path, checkout: Path) -> None:
        self._file = file
        self._checkout = checkout

    def is_current(self, api: PrefectApi, pool: str, generators: Path) -> bool:
        """Whether deploying would change nothing; what somebody changed on the server counts."""
        try:
            kept = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return False
        now = time.time()
        return bool(
            0 <= now - kept["at"] < FRESH_SECONDS
            and kept["made_of"] == self._made_of(api.url, generators)
            and kept["there"] == _there(api, pool)
        )

    def note(self, api: PrefectApi, pool: str, generators: Path) -> None:
        """Remember that it has just been deployed."""
        kept = {
            "at": time.time(),
            "made_of": self._made_of(api.url, generators),
            "there": _there(api, pool),
        }
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(kept))
        partial.replace(self._file)

    def _made_of(self, url: str, generators: Path) -> str:
        """The files, names and addresses that the deployments are made of."""
        digest = hashlib.sha256(repr((str(self._checkout), url, list_generators(generators))).encode())
        files = [self._checkout / "prefect.yaml", *sorted((self._checkout / "automations").glob("*.yaml"))]
        code = [paths.CHECKOUT / folder for folder in CODE]
        lock = paths.CHECKOUT / "requirements.lock"  # Prefect's version
        for file in [*files, lock, *(file for one in code for file in _sources(one))]:
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
            digest.update(file.read_bytes())
        return digest.hexdigest()


def _sources(code: Path) -> list[Path]:
    """The Python files of a folder; a file is one itself."""
    return sorted(code.rglob("*.py")) if code.is_dir() else [code]


def _there(api: PrefectApi, pool: str) -> str:
    seen = [
        api.ask("/deployments/filter", {}),
        api.ask("/automations/filter", {}),
        api.ask(f"/work_pools/{pool}/queues/filter", {}),
        api.find("/block_types/slug/custom-webhook/block_documents/name/vbvr-notify"),
    ]
    return hashlib.sha256(json.dumps(_steady(seen), sort_keys=True).encode()).hexdigest()


def _steady(value: Any) -> Any:  # noqa: ANN401 - any part of an answer
    if isinstance(value, dict):
        return {name: _steady(part) for name, part in value.items() if name not in _VOLATILE}
    return [_steady(part) for part in value] if isinstance(value, list) else value
