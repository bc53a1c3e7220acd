"""One side of the control plane's bench, in a process of its own: does what a line says, and says what it took.

    python -P control_side.py

Each line on standard input is a JSON object whose ``do`` is one of `_VERBS`, each line of the answer what was done,
with seconds and bytes. Which checkout is measured is for PYTHONPATH to say: `submit` is the same call in ours and in
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


def submit(order: Done) -> Done:
    """Send `messages` messages, one sample each, spread over ten generators."""
    from vbvrdatafactory.sqs.submitter import TaskSubmitter  # noqa: PLC0415 - whose it is, is what is measured

    if not _KEPT:
        _KEPT.append(TaskSubmitter())
    names = [f"G-{number}_fake_task_data-generator" for number in range(10)]
    each = order["messages"] // len(names)
    done = _KEPT[0].submit_tasks(names, total_samples=each, batch_size=1, seed=42)
    return {"count": done["total_successful"]}


_KEPT: list[Any] = []


def verify(order: Done) -> Done:
    """Take the inventory, subtract it from the plan, and tell each generator's missing ranges."""
    from vbvrdatafactory import aws  # noqa: PLC0415
    from vbvrdatafactory.core.config import config  # noqa: PLC0415
    from vbvrdatafactory.planning.gaps import find_gaps  # noqa: PLC0415
    from vbvrdatafactory.planning.plan import Plan, make_spec  # noqa: PLC0415
    from vbvrdatafactory.s3.listing import take_inventory  # noqa: PLC0415

    plan = Plan(make_spec(generators=order["generators"], samples=order["samples"]))
    inventory = take_inventory(aws.bucket(config))
    gaps = {gap.generator: gap.ranges for gap in find_gaps(plan, inventory)}
    return {"count": inventory.key_count, "gaps": gaps}


def plan(order: Done) -> Done:
    """Work out `batches` batches: count them, make their messages, make what an empty bucket lacks."""
    from vbvrdatafactory.planning.evidence import Evidence  # noqa: PLC0415
    from vbvrdatafactory.planning.gaps import find_gaps  # noqa: PLC0415
    from vbvrdatafactory.planning.inventory import Inventory  # noqa: PLC0415
    from vbvrdatafactory.planning.plan import Plan, make_spec  # noqa: PLC0415
    from vbvrdatafactory.planning.replan import messages  # noqa: PLC0415

    names = [f"G-{number}_fake_task_data-generator" for number in range(100)]
    whole = Plan(make_spec(generators=names, samples=25 * (order["batches"] // 100), batch_size=25))
    nothing = Evidence([])
    missing = find_gaps(whole, Inventory())
    ways: dict[str, Callable[[], Iterable[Any]]] = {
        "batches": lambda: whole,
        "messages": lambda: (message.to_json() for message in whole.messages()),
        "gaps": lambda: (m.to_json() for gap in missing for m in messages(whole, gap, nothing, {})),
    }
    counted = ways[order["way"]]()
    return {"count": sum(1 for _ in counted)}


_VERBS = {"submit": submit, "verify": verify, "plan": plan}


def _measured(order: Done) -> Done:
    before, started = _cpu(), time.perf_counter()
    done = _VERBS[order["do"]](order)
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
