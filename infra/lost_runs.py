"""Runs whose process is gone: they would stay Running, and keep the queue to themselves."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra import processes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from infra.prefect_api import PrefectApi

_UNDER_WAY = {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}
_LATEST = {"sort": "START_TIME_DESC", "limit": 200}
_LOST = {
    "type": "CRASHED",
    "name": "Lost",
    "message": "Its process is gone. Run it again; it goes on from what the bucket holds.",
}
# What `python -m flows` runs, without a deployment.
_BY_HAND = "generate-dataset"


def end_lost_runs(api: PrefectApi, pool: str, *, has_worker: bool) -> list[str]:
    """End the pool's runs whose process on this machine is gone; returns what was done, a line each.

    With a Prefect worker (`has_worker`), a run that has no process yet is about to get one; else it is lost too.
    """
    runs = api.runs(flow_runs=_UNDER_WAY, work_pools={"name": {"any_": [pool]}})
    return _end(api, [run["id"] for run in runs if is_lost(run, has_worker=has_worker)])


def end_interrupted_runs(api: PrefectApi, checkout: Path) -> list[str]:
    """End the runs of `python -m flows` in the checkout that a Ctrl-C or a crash cut short; returns what was done, a line each.

    Nobody knows their process: one may be alive that began after the oldest such process did.
    """
    by_hand = {**_UNDER_WAY, "deployment_id": {"is_null_": True}}
    runs = api.runs(flow_runs=by_hand, flows={"name": {"any_": [_BY_HAND]}})
    oldest = processes.oldest_start_of("flows", checkout)
    return _end(api, [run["id"] for run in runs if oldest is None or _started(run) < oldest])


def mend_history(api: PrefectApi) -> list[str]:
    """Make the runs that keep the server from listing any listable; returns what was done, a line each.

    An integer beyond 64 bits in a run's parameters is kept as text: nothing of it is lost.
    """
    if api.can_list_runs(**_LATEST):
        return []
    said = []
    for run in api.runs(**_LATEST):
        mended = without_great_integers(run["parameters"])
        if mended != run["parameters"]:
            api.change_parameters(run["id"], mended)
            said.append(
                f"run {run['id']} held a number beyond 64 bits, which broke the page of all runs: mended"
            )
    return said


def without_great_integers(value: Any) -> Any:  # noqa: ANN401 - any part of a run's parameters
    """The value with its integers beyond 64 bits as text."""
    if isinstance(value, dict):
        return {name: without_great_integers(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_great_integers(part) for part in value]
    is_great = isinstance(value, int) and not -(2**63) <= value < 2**64
    return str(value) if is_great else value


def is_lost(run: dict[str, Any], *, has_worker: bool) -> bool:
    """Whether the process of a run under way, which the server described, is gone."""
    pid = (run["infrastructure_pid"] or "").rpartition(":")[2]
    if not pid:
        return not has_worker
    return pid.isdigit() and not processes.exists(int(pid), since=_started(run))


def _started(run: dict[str, Any]) -> float:
    """When it began, in seconds since the epoch; now for one that has not."""
    began = run["start_time"]
    return (datetime.fromisoformat(began) if began else datetime.now().astimezone()).timestamp()


def _end(api: PrefectApi, runs: Iterable[str]) -> list[str]:
    said = []
    for run in runs:
        api.end_run(run, _LOST)
        said.append(f"ended run {run}, whose process is gone; run it again")
    return said
