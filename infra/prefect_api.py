"""The few calls to a Prefect server on this machine that starting and stopping it take; plain HTTP."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from infra import processes

# A proxy of the environment has no business between two processes of this machine.
_opener = build_opener(ProxyHandler({}))
_UNDER_WAY = ["RUNNING", "PENDING", "CANCELLING"]
_LOST = {
    "type": "CRASHED",
    "name": "Lost",
    "message": "Its process is gone, as after 'make down'. Run it again; it goes on from what the bucket holds.",
}


class PrefectApi:
    """A server under `url`, which ends in ``/api``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def answers(self) -> bool:
        return self._ask("/health") is True

    def has_pool(self, pool: str) -> bool:
        return self._ask(f"/work_pools/{pool}") is not None

    def has_worker(self, pool: str) -> bool:
        """Whether a Prefect worker looks after the pool."""
        workers = self._ask(f"/work_pools/{pool}/workers/filter", {})
        return any(worker["status"] == "ONLINE" for worker in workers or [])

    def end_lost_runs(self, pool: str) -> int:
        """End the runs of the pool whose process on this machine is gone; returns how many.

        They would stay Running, and keep the queue to themselves.
        """
        wanted = {
            "flow_runs": {"state": {"type": {"any_": _UNDER_WAY}}},
            "work_pools": {"name": {"any_": [pool]}},
        }
        lost = [run for run in self._ask("/flow_runs/filter", wanted) or [] if _is_lost(run)]
        for run in lost:
            self._ask(f"/flow_runs/{run['id']}/set_state", {"state": _LOST, "force": True})
        return len(lost)

    def _ask(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - what the server answers
        """The answer; None where there is none, or an error."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}{path}", data, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with _opener.open(request, timeout=10) as response:
                return json.load(response)
        except (OSError, ValueError):
            return None


def _is_lost(run: dict[str, Any]) -> bool:
    """A run that got no process yet is lost with the Prefect worker that was about to start it."""
    pid = (run["infrastructure_pid"] or "").rpartition(":")[2]
    return not pid or (pid.isdigit() and not processes.exists(int(pid)))
