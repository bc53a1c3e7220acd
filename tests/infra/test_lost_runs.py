"""Runs whose process is gone, and a history that the server can't list."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra import lost_runs, processes
from infra.prefect_api import PrefectApi, PrefectError

GONE = next(pid for pid in range(2**22, 2, -1) if not processes.exists(pid))
BEGAN = datetime.now(UTC)


def run(pid: int | None, began: datetime | None = BEGAN, **more: Any) -> dict[str, Any]:
    told = None if pid is None else f"host:{pid}"
    return {"id": "r", "infrastructure_pid": told, "start_time": began and began.isoformat(), **more}


@pytest.mark.parametrize(
    ("described", "has_worker", "is_lost"),
    [
        (run(None, None), True, False),
        (run(None, None), False, True),
        (run(GONE), True, True),
        (run(GONE), False, True),
        (run(os.getpid()), True, False),
        (run(os.getpid(), None), False, False),
        (run(os.getpid(), BEGAN - timedelta(days=30)), True, True),
    ],
)
def test_a_run_is_lost_with_its_process(described, has_worker, is_lost) -> None:
    """One that has none yet is lost with its worker; after a reboot, another process has the number."""
    assert lost_runs.is_lost(described, has_worker=has_worker) is is_lost


class Server(PrefectApi):
    """What a server says that lists nothing while a run holds a great integer."""

    def __init__(self, *runs: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9/api", "u:p")
        self.kept = {each["id"]: each for each in runs}
        self.ended: list[str] = []

    def ask(self, path: str, body: object = None, method: str = "POST") -> Any:
        if path == "/flow_runs/filter":
            if any(lost_runs.without_great_integers(each) != each for each in self.kept.values()):
                raise PrefectError(f"POST {path}", 500, "Internal Server Error")
            return list(self.kept.values())
        if path == "/ui/flow_runs/history":
            return [{"id": each} for each in self.kept]
        named = path.split("/")[2]
        if path.endswith("/set_state"):
            self.ended.append(named)
        elif method == "PATCH":
            self.kept[named] |= body
        return self.kept[named]


def test_a_run_that_breaks_the_list_does_not_hide_the_lost_ones() -> None:
    """They are asked for one by one and ended."""
    server = Server(
        run(GONE) | {"id": "a", "parameters": {"seed": 2**64}},
        run(os.getpid()) | {"id": "b", "parameters": {}},
    )
    assert len(lost_runs.end_lost_runs(server, "pool", has_worker=True)) == 1
    assert server.ended == ["a"]


def test_a_broken_history_is_mended_and_loses_nothing() -> None:
    """The great integers are text afterwards, however deep; the server lists all runs again, and it is done once."""
    great = {"seed": 2**64, "overrides": {"g": [{"samples": -(2**70)}, 5]}}
    server = Server(
        run(None) | {"id": "a", "parameters": great}, run(None) | {"id": "b", "parameters": {"n": 2**63}}
    )
    (said,) = lost_runs.mend_history(server)
    assert "run a held a number beyond 64 bits" in said
    assert server.kept["a"]["parameters"] == {
        "seed": str(2**64),
        "overrides": {"g": [{"samples": str(-(2**70))}, 5]},
    }
    assert server.kept["b"]["parameters"] == {"n": 2**63}
    assert lost_runs.mend_history(server) == []


def test_a_run_by_hand_is_ended_unless_its_process_may_be_alive(tmp_path) -> None:
    """One that began after the oldest such process may be that one's; an older one can't be."""
    sleeper = "import time; time.sleep(60)"
    before = run(None, datetime.now(UTC) - timedelta(minutes=5)) | {"id": "old", "parameters": {}}
    alive = subprocess.Popen([sys.executable, "-c", sleeper, "-m", "flows"], cwd=tmp_path)
    try:
        deadline = time.monotonic() + 30
        while processes.oldest_start_of("flows", tmp_path) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        later = run(None, datetime.now(UTC) + timedelta(seconds=1)) | {"id": "new", "parameters": {}}
        server = Server(before, later)
        lost_runs.end_interrupted_runs(server, tmp_path)
        assert server.ended == ["old"]
    finally:
        alive.kill()
        alive.wait()


def test_a_server_that_fails_is_told_with_what_it_said() -> None:
    """An error is no empty list: nobody answers here."""
    with pytest.raises(PrefectError, match="answered POST|answered GET"):
        PrefectApi("http://127.0.0.1:9/api", "u:p").runs()
