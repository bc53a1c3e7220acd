"""Runs a whole large dataset in minutes: the real flow, tasks, library and Prefect server on a simulated AWS.

    python -m bench.simulate [--generators 300 --samples 10000 --batch 25]

What is simulated is `bench/fake_world.py`: bucket, queues and workers, with messages lost and made twice and a generator
that always fails. Where the flow would sleep, the world's clock is moved instead; where it works, the clock goes on
as it is. So "simulated" is how long the run would take, and "wall" how long its own work took. The run must end with
exactly the samples that can be made, and name the generator that can't.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Literal

import httpx
import psutil

from bench.control import FakeProcess, fake
from bench.fake_world import BUCKET, DLQ, QUEUE, Settings
from bench.measure import BenchError
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.config import config
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.files import code_digest
from vbvrdatafactory.s3.reading import read

_MB = 1e6
# us-east-2, dollars.
_LIST = _PUT = 0.005 / 1000
_GET, _SQS = 0.0004 / 1000, 0.40 / 1e6
_LAMBDA_GB_SECOND, _LAMBDA_REQUEST, _LAMBDA_GB = 0.0000166667, 0.20 / 1e6, 1769 / 1024
_DATASET = "simulated"


class Clock:
    """The clock of the flow's services: a sleep moves the world's clock instead."""

    def __init__(self, world: FakeProcess) -> None:
        self._world = world
        self._skipped = 0.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds, with those that were skipped."""
        return time.monotonic() + self._skipped

    def sleep(self, seconds: float, /) -> None:
        """Skip so many seconds."""
        with self._lock:
            self._world.steer(f"skip?seconds={seconds}")
            self._skipped += seconds


class Calls:
    """Counts what Prefect's client asks of its server."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        for kind in (httpx.AsyncClient, httpx.Client):
            self._count(kind)

    def _count(self, kind: Any) -> None:  # noqa: ANN401 - either client
        send = kind.send

        def counted(client: Any, request: httpx.Request, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
            self.counts[f"{request.method} {_kind_of(request.url.path)}"] += 1
            return send(client, request, *rest, **options)

        kind.send = counted


def _kind_of(path: str) -> str:
    """An address without its ids."""
    return "/".join("…" if len(part) == 36 and part.count("-") == 4 else part for part in path.split("/"))


class Peak(threading.Thread):
    """The most that the Prefect server, a child of this process, held."""

    def __init__(self, but: int) -> None:
        super().__init__(daemon=True)
        self.but, self.bytes = but, 0

    def run(self) -> None:
        while True:
            self.bytes = max(self.bytes, self._now())
            time.sleep(1)

    def _now(self) -> int:
        total = 0
        for child in psutil.Process().children(recursive=True):
            try:
                if child.pid != self.but:
                    total += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total


@dataclass
class Result:
    """What the run took."""

    state: str
    message: str
    wall: float
    simulated: float
    peak: int
    server_peak: int
    cpu: float
    api_calls: dict[str, int]
    task_runs: int
    artifacts: int
    aws_calls: dict[str, int]
    dollars: dict[str, float]
    samples: int
    expected: int
    messages: int
    tally: dict[str, Any]
    budget: float | None
    spent: float


def simulate(options: argparse.Namespace, folder: Path) -> Result:
    """One run.

    Raises:
        BenchError: it did not end with exactly what can be made.
    """
    settings = Settings(
        options.generators,
        options.samples,
        slots=options.slots,
        always_failing=options.failing,
        variety=options.variety,
        code=_generators(options.generators, folder / "generators"),
    )
    with fake("fake_world", json.dumps(asdict(settings))) as world:
        _environment(world, folder)
        calls, peak = Calls(), Peak(world.pid)
        peak.start()
        # Imported here: they read their environment, and Prefect its home, when they are.
        import tasks.services  # noqa: PLC0415
        from flows.generate_dataset import generate_dataset  # noqa: PLC0415

        clock = Clock(world)
        vars(tasks.services)["connect"] = lambda: Services(config.answering, clock=clock)
        began, simulated, cpu = time.monotonic(), clock.monotonic(), _cpu()
        asked_for = {
            "dataset": _DATASET,
            "samples": options.samples,
            "batch_size": options.batch,
            "poll_seconds": options.poll_seconds,
            "max_rounds": options.rounds,
            "return_state": True,
        }
        budget = None
        if options.budget_share:
            generate_dataset(**asked_for, require_approval=True)
            budget = options.budget_share * _price()
        state = generate_dataset(**asked_for, max_cost_usd=budget)
        wall, simulated, cpu = time.monotonic() - began, clock.monotonic() - simulated, _cpu() - cpu
        asked = dict(calls.counts)
        truth, counts = _truth(world), world.steer("state")["counts"]
        found = Result(
            state=state.name or "",
            message=state.message or "",
            wall=wall,
            simulated=simulated,
            peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            server_peak=peak.bytes,
            cpu=cpu,
            api_calls=asked,
            task_runs=_count_of("/task_runs/count"),
            artifacts=_count_of("/artifacts/count"),
            aws_calls=counts,
            dollars=_bill(counts, truth["tally"]),
            samples=sum(truth["whole"].values()),
            expected=(options.generators - options.failing) * options.samples,
            messages=counts.get("messages", 0),
            tally=truth["tally"],
            budget=budget,
            spent=_spent(),
        )
    if budget is not None:
        return found
    if found.samples != found.expected:
        raise BenchError(
            f"{found.samples:,} samples are there of {found.expected:,} that can be made: {found.message}"
        )
    return found


def _price() -> float:
    """What the plan that the flow filed costs."""
    plan = json.loads(read(Services(config.answering).bucket, keys.dataset_file(_DATASET, "plan.json")).data)
    generators = plan["generators"]
    return float(sum(one["lambda_usd"]["likely"] + one["request_usd"] for one in generators))


def _spent() -> float:
    """What the run's own report says that it cost."""
    filed = read(Services(config.answering).bucket, keys.dataset_file(_DATASET, "report.json")).data
    return float(json.loads(filed)["run"]["costs"]["usd"])


def _generators(count: int, folder: Path) -> str | None:
    """Make folders of generators that are alike; returns the digest of their code."""
    names = Settings(count).names
    for name in names:
        (folder / name / "examples").mkdir(parents=True)
        (folder / name / "examples" / "generate.py").touch()
    return code_digest(folder / names[0])


def _environment(world: FakeProcess, folder: Path) -> None:
    os.environ |= {
        "SQS_QUEUE_URL": f"{world.url}/000000000000/{QUEUE}",
        "SQS_DLQ_URL": f"{world.url}/000000000000/{DLQ}",
        "OUTPUT_BUCKET": BUCKET,
        "AWS_ENDPOINT_URL": world.url,
        "AWS_REGION": "us-east-2",
        "AWS_EC2_METADATA_DISABLED": "true",
        "DATAFACTORY_ENV_FILE": "",
        "GENERATORS_PATH": str(folder / "generators"),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        "DO_NOT_TRACK": "1",
    }


def _truth(world: FakeProcess) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", world.port)
    try:
        connection.request("GET", "/-bench/truth")
        truth: dict[str, Any] = json.loads(connection.getresponse().read())
        return truth
    finally:
        connection.close()


def _count_of(what: Literal["/task_runs/count", "/artifacts/count"]) -> int:
    """How many of them the Prefect server holds."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    with get_client(sync_client=True) as client:
        return int(client.request("POST", what, json={}).json())


def _bill(counts: dict[str, int], tally: dict[str, Any]) -> dict[str, float]:
    """Dollars at AWS's list prices: what the flow asked, and what its workers did (their SQS calls left out)."""
    sqs = sum(count for name, count in counts.items() if name.startswith("sqs "))
    return {
        "LIST": counts.get("s3 LIST", 0) * _LIST,
        "GET and HEAD": (counts.get("s3 GET", 0) + counts.get("s3 HEAD", 0)) * _GET,
        "PUT": counts.get("s3 PUT", 0) * _PUT,
        "SQS": sqs * _SQS,
        "workers' PUT": tally["files_put"] * _PUT,
        "workers' Lambda": tally["busy_seconds"] * _LAMBDA_GB * _LAMBDA_GB_SECOND
        + tally["batches"] * _LAMBDA_REQUEST,
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def report(found: Result) -> None:
    """Print it."""
    rows = [
        ("ended as", f"{found.state}: {found.message}"),
        ("samples", f"{found.samples:,} of {found.expected:,} that can be made"),
        ("messages sent", f"{found.messages:,}"),
        ("what the workers did", ", ".join(f"{name} {value:,.0f}" for name, value in found.tally.items())),
        ("simulated", f"{found.simulated / 60:,.1f} min"),
        ("wall, beside what was slept", f"{found.wall:,.1f} s, {found.cpu:,.1f} s of CPU"),
        ("peak memory", f"{found.peak / _MB:,.0f} MB, the Prefect server {found.server_peak / _MB:,.0f} MB"),
        ("Prefect API calls", f"{sum(found.api_calls.values()):,}"),
        ("task runs, artifacts", f"{found.task_runs:,}, {found.artifacts:,}"),
        (
            "AWS calls of the flow",
            ", ".join(f"{name} {count:,}" for name, count in sorted(found.aws_calls.items())),
        ),
        (
            "costs by its own report",
            f"${found.spent:,.2f}" + (f" of a budget of ${found.budget:,.2f}" if found.budget else ""),
        ),
        ("at list prices", ", ".join(f"{name} ${value:,.4f}" for name, value in found.dollars.items())),
    ]
    print("| figure | |\n| --- | --- |")
    for name, value in rows:
        print(f"| {name} | {value} |")


def _size(text: str) -> int | str:
    return text if text == "auto" else int(text)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--generators", type=int, default=300, help="default: %(default)s")
    add("--samples", type=int, default=10_000, help="of each, at most 10,000 (default: %(default)s)")
    add("--batch", type=_size, default=25, help="samples of a message, or auto (default: %(default)s)")
    add("--slots", type=int, default=990, help="workers side by side (default: %(default)s)")
    add("--failing", type=int, default=1, help="generators that always fail (default: %(default)s)")
    add("--poll-seconds", type=float, default=15.0, help="default: %(default)s")
    add("--rounds", type=int, default=6, help="at most (default: %(default)s)")
    add("--variety", type=float, default=1.0, help="how many times slower the slowest generator is")
    add("--budget-share", type=float, help="give the run so much of the price that it says beforehand")
    add("--json", type=Path, help="write the figures here")
    return parser


def main() -> None:
    """Run from the command line."""
    options = arguments().parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-simulate-", ignore_cleanup_errors=True) as folder:
        try:
            found = simulate(options, Path(folder))
        except BenchError as error:
            sys.exit(str(error))
    report(found)
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=1) + "\n")


if __name__ == "__main__":
    main()
