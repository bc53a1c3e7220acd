"""Calls the library of one checkout in a process of its own, and measures each call.

    python -P library_process.py

Each line of standard input is a JSON object whose ``do`` is one of `_CALLS`; the response is a JSON line with the call's
result, seconds and bytes. PYTHONPATH decides which checkout is measured: `submit` is the same call in ours and in
the predecessor's.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

Done = dict[str, Any]


def submit(request: Done) -> Done:
    """Send `messages` messages, one sample each, spread over ten generators."""
    from vbvrdatafactory.sqs.submitter import TaskSubmitter  # noqa: PLC0415 - the predecessor's checkout has no other module of these

    if not _submitters:
        _submitters.append(TaskSubmitter())
    names = [f"G-{number}_fake_task_data-generator" for number in range(10)]
    each = request["messages"] // len(names)
    done = _submitters[0].submit_tasks(names, total_samples=each, batch_size=1, seed=42)
    return {"count": done["total_successful"]}


_submitters: list[Any] = []


def verify(request: Done) -> Done:
    """Take the inventory, subtract it from the plan, and return each generator's missing ranges."""
    from vbvrdatafactory import aws  # noqa: PLC0415
    from vbvrdatafactory.core.config import config  # noqa: PLC0415
    from vbvrdatafactory.planning.gaps import find_gaps  # noqa: PLC0415
    from vbvrdatafactory.planning.plan import Plan, make_spec  # noqa: PLC0415
    from vbvrdatafactory.s3.listing import take_inventory  # noqa: PLC0415

    plan = Plan(make_spec(generators=request["generators"], samples=request["samples"]))
    inventory = take_inventory(aws.bucket(config))
    gaps = {gap.generator: gap.ranges for gap in find_gaps(plan, inventory)}
    return {"count": inventory.key_count, "gaps": gaps}


def plan(request: Done) -> Done:
    """Work out `batches` batches: count them, make their messages, make what an empty bucket lacks."""
    from vbvrdatafactory.planning.evidence import Evidence  # noqa: PLC0415
    from vbvrdatafactory.planning.gaps import find_gaps  # noqa: PLC0415
    from vbvrdatafactory.planning.inventory import Inventory  # noqa: PLC0415
    from vbvrdatafactory.planning.plan import Plan, make_spec  # noqa: PLC0415
    from vbvrdatafactory.planning.replan import messages  # noqa: PLC0415

    names = [f"G-{number}_fake_task_data-generator" for number in range(100)]
    whole = Plan(make_spec(generators=names, samples=25 * (request["batches"] // 100), batch_size=25))
    nothing = Evidence([])
    missing = find_gaps(whole, Inventory())
    ways: dict[str, Callable[[], Iterable[Any]]] = {
        "batches": lambda: whole,
        "messages": lambda: (message.to_json() for message in whole.messages()),
        "gaps": lambda: (m.to_json() for gap in missing for m in messages(whole, gap, nothing, {})),
    }
    counted = ways[request["way"]]()
    return {"count": sum(1 for _ in counted)}


_CALLS = {"submit": submit, "verify": verify, "plan": plan}


def _measured(request: Done) -> Done:
    before, started = _cpu(), time.perf_counter()
    done = _CALLS[request["do"]](request)
    wall = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {**done, "wall": wall, "cpu": _cpu() - before, "peak": peak}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    for line in sys.stdin:
        print(json.dumps(_measured(json.loads(line))), flush=True)
