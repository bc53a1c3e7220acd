"""Chooses batch sizes by what batches take: as long as the workers' limits allow, as starts cost."""

import math
from collections.abc import Mapping

from vbvrdatafactory.core.certificates import Certificate, Costs
from vbvrdatafactory.core.models import MAX_BATCH
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.planning.worker_limits import WorkerLimits

# A batch is at most so many times as long as the longest run that was measured.
_BEYOND = 20
# Of what a start of a batch may take of its time, where shorter ones would keep more functions busy.
_START_SHARE = 0.02
_WAVES = 2
# So many batches keep any number of functions busy.
_ENOUGH = 10**9


def sizes(
    plan: Plan,
    missing: Mapping[str, int],
    certificates: Mapping[str, Certificate],
    limits: WorkerLimits,
) -> dict[str, int]:
    """The batch sizes of the generators whose sizes are chosen here, as far as their certificates tell.

    Where not even one sample fits, the size is 1, and its price says what does not fit.
    """
    wanted = {
        name: (certificate.costs, missing.get(name) or plan.generators[name].samples)
        for name in plan.automatic
        if (certificate := certificates.get(name))
        and certificate.passed
        and certificate.costs.seconds.batches
    }
    longest = {
        name: max(1, choose_batch_size(costs, samples, limits, _ENOUGH))
        for name, (costs, samples) in wanted.items()
    }
    batches = {name: math.ceil(samples / longest[name]) for name, (_, samples) in wanted.items()}
    everybody = sum(batches.values())
    return {
        name: max(
            1,
            choose_batch_size(
                costs, samples, limits, everybody - batches[name], plan.generators[name].samples
            ),
        )
        for name, (costs, samples) in wanted.items()
    }


def choose_batch_size(
    costs: Costs, samples: int, limits: WorkerLimits, others: int = 0, planned: int | None = None
) -> int:
    """The batch size that wastes least on starts and stays within the limits; 0 where not even one sample does.

    Args:
        costs: what batches of the generator take.
        samples: how many are to be made.
        limits: the workers.
        others: batches of other generators, which keep functions busy besides.
        planned: how many samples of it the dataset has, which batches divide evenly; as many as are to be made where None.
    """
    planned = planned or samples
    most = min(longest_batch(costs, limits), planned)
    if most < 1:
        return 0
    # Where all functions are busy anyway, longer batches are cheaper. Else shorter ones end sooner, down to
    # where starting them begins to count.
    slots = limits.concurrency * limits.side_by_side
    wanted = _WAVES * slots - others
    if samples / most < wanted:
        least = costs.seconds.start / max(1e-9, costs.seconds.each) * (1 / _START_SHARE - 1)
        most = max(min(most, math.ceil(least)), min(most, math.ceil(samples / max(1, wanted))), 1)
    return math.ceil(planned / math.ceil(planned / most))


def longest_batch(costs: Costs, limits: WorkerLimits) -> int:
    """How many samples a batch may have within the workers' limits; 0 where not even one fits."""
    slower = limits.slower_than(costs.host, cores(costs))
    sure = 1 + 2 * min(0.5, costs.seconds.spread)
    return int(
        min(
            _most(
                costs.seconds.start * slower * sure, costs.seconds.each * slower * sure, limits.batch_seconds
            ),
            _most(costs.memory_bytes.start, costs.memory_bytes.each, limits.batch_memory_bytes),
            _most(costs.disk_bytes.start, costs.disk_bytes.each, limits.batch_disk_bytes),
            MAX_BATCH,
            max(1, costs.largest) * _BEYOND,
        )
    )


def _most(start: float, each: float, limit: float) -> float:
    """How many samples a batch may have at most."""
    if start >= limit:
        return 0
    return (limit - start) / each if each > 0 else math.inf


def cores(costs: Costs) -> float:
    """How many processors a batch keeps busy."""
    return costs.cpu_seconds.each / costs.seconds.each if costs.seconds.each else 1.0
