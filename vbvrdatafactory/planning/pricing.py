"""Says beforehand what a plan takes: batch sizes, time and money, from certificates and prices. Values in, values out."""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from vbvrdatafactory.core.certificates import Certificate, Costs
from vbvrdatafactory.core.contract import ALL_FIVE
from vbvrdatafactory.core.humanize import format_bytes, format_duration
from vbvrdatafactory.core.models import OutputFormat
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.batch_sizes import cores, sizes
from vbvrdatafactory.planning.estimates import Estimate, total
from vbvrdatafactory.planning.plan import GeneratorPlan, Plan
from vbvrdatafactory.planning.prices import Prices, Processor
from vbvrdatafactory.planning.replan import Replays
from vbvrdatafactory.planning.wall_time import Work, wall_seconds
from vbvrdatafactory.planning.worker_limits import WorkerLimits

# An estimate from few batches may be off by this share, whatever they say; one from many by the second.
_UNSURE, _SURE = 0.30, 0.10
_FEW = 12
# A function's first batch loads what the worker imports; a run begins so many.
_COLD_SECONDS = 2.5
# Requests of a batch: its receipt and what is looked up before it; of a message: sent in tens, received, deleted.
_PUTS_A_BATCH, _LISTS_A_BATCH, _GETS_A_BATCH = 1, 1, 2
_SQS_A_MESSAGE = 2.1
# How often a run lists the bucket, at least.
_LOOKS = 12
# A dead letter and its repetition cost a batch; so many batches fail in a run, at most, as a rule.
_FAILURES = 0.02
_MEMORY_SIZES = (1024, 1769, 2048, 3008, 4096, 5307)
# No figure of ours says how fast arm64 is; measured by others, generators of this kind are within this of x86_64.
_ARM_UNSURE = 0.15


class Terms(NamedTuple):
    """By what an estimate is made: the workers' limits, and the prices."""

    limits: WorkerLimits
    prices: Prices


class Certified(NamedTuple):
    """What the generators of a plan have proved.

    Args:
        passed: valid certificates, by generator.
        failed: why other generators are not to be made.
    """

    passed: Mapping[str, Certificate] = MappingProxyType({})
    failed: Mapping[str, str] = MappingProxyType({})


class GeneratorPrice(NamedTuple):
    """What the batches of one generator take.

    Args:
        generator: its name.
        samples: how many are to be made.
        batch_size: samples of a batch.
        batches: how many batches.
        batch_seconds: one of them takes.
        seconds: all of them take, one after the other.
        gb_seconds: of Lambda.
        lambda_usd: what these cost, with their requests.
        request_usd: what the requests to S3 and SQS cost.
        stored_bytes: in the bucket.
        problem: why it can't be made so, with the number that does not fit; empty where it can.
        remarks: what its certificate says besides.
    """

    generator: str
    samples: int
    batch_size: int
    batches: int
    batch_seconds: Estimate = Estimate()
    seconds: Estimate = Estimate()
    gb_seconds: Estimate = Estimate()
    lambda_usd: Estimate = Estimate()
    request_usd: float = 0.0
    stored_bytes: float = 0.0
    problem: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def work(self) -> Work:
        """Its batches."""
        return Work(self.batches, self.batch_seconds, self.seconds)

    @property
    def usd(self) -> Estimate:
        """All that making it costs."""
        return self.lambda_usd.plus(self.request_usd)


class Choice(NamedTuple):
    """The same with another memory size or architecture.

    Args:
        memory_mb: of the function.
        processor: its architecture.
        usd: what Lambda costs then; None where some generator does not fit.
        wall_seconds: how long the run takes then.
        problem: the first that does not fit.
    """

    memory_mb: int
    processor: Processor
    usd: float | None
    wall_seconds: float = 0.0
    problem: str = ""


class PlanPrice(NamedTuple):
    """What a plan takes.

    Args:
        dataset: its name.
        generators: what each takes that has something to make and a certificate that it passed.
        unknown: generators that have something to make and no certificate yet.
        failed: generators whose certificate says that they failed, and why.
        whole: how many generators lack nothing.
        wall_seconds: how long the run takes.
        terms: the workers that it is for, and the prices that it is by.
        choices: Lambda's cost with other memory sizes and architectures, the cheapest first.
    """

    dataset: str
    generators: tuple[GeneratorPrice, ...]
    unknown: tuple[str, ...]
    failed: Mapping[str, str]
    whole: int
    wall_seconds: Estimate
    terms: Terms
    choices: tuple[Choice, ...] = ()

    @property
    def samples(self) -> int:
        return sum(one.samples for one in self.generators)

    @property
    def batches(self) -> int:
        return sum(one.batches for one in self.generators)

    @property
    def gb_seconds(self) -> Estimate:
        return total(one.gb_seconds for one in self.generators)

    @property
    def lambda_usd(self) -> Estimate:
        return total(one.lambda_usd for one in self.generators)

    @property
    def request_usd(self) -> float:
        return sum(one.request_usd for one in self.generators)

    @property
    def archive_request_usd(self) -> float:
        """What requests would cost where each batch is stored as one archive."""
        return sum(request_usd(one.batches, one.batches, self.terms.prices) for one in self.generators)

    @property
    def starting_usd(self) -> float:
        """What it costs besides to start so many functions, where none is warm; no receipt has it."""
        limits, prices = self.terms
        functions = min(limits.concurrency, self.batches / limits.side_by_side)
        return functions * _COLD_SECONDS * limits.memory_mb / 1024 * prices.lambda_gb_second[limits.processor]

    @property
    def usd(self) -> Estimate:
        """All that making it costs; starting functions and storing it are not in it."""
        return self.lambda_usd.plus(self.request_usd)

    @property
    def stored_bytes(self) -> float:
        return sum(one.stored_bytes for one in self.generators)

    @property
    def storage_usd_month(self) -> float:
        """What storing it costs each month."""
        return self.stored_bytes / 1e9 * self.terms.prices.s3_gb_month

    @property
    def problems(self) -> list[str]:
        """Why it can't be made so, a line for each generator."""
        return [f"{one.generator}: {one.problem}" for one in self.generators if one.problem]


Ranges = Sequence[IndexRange]


def price_generator(  # noqa: PLR0913 - what is made, by what
    line: GeneratorPlan,
    missing: Ranges,
    certificate: Certificate,
    terms: Terms,
    output_format: OutputFormat = "files",
    again: Replays | None = None,
) -> GeneratorPrice:
    """What making some samples of a generator takes, in batches as planned.

    Args:
        line: its plan, with the batch size.
        missing: which samples are to be made.
        certificate: what its batches take.
        terms: the workers' limits, and the prices.
        output_format: how samples lie in the bucket.
        again: runs that are made again for some of them; None where none is.
    """
    limits, prices = terms
    costs, samples = certificate.costs, sum(one.size for one in missing)
    again = again or Replays(missing)
    # A run that is made again for one sample makes all of its samples.
    made = sum(one.size for one in again.rest) + sum(again.sizes)
    batches = sum(_count_batches(line.batch_size, one) for one in again.rest) + len(again.sizes)
    size = min(line.batch_size, max((one.size for one in missing), default=1))
    slower = limits.slower_than(costs.host, cores(costs))
    share = _unsure(costs)
    if limits.processor != (costs.host.processor or limits.processor):
        share += _ARM_UNSURE
    one = Estimate.around(costs.seconds.of(size) * slower, share)
    seconds = Estimate.around((costs.seconds.start * batches + costs.seconds.each * made) * slower, share)
    seconds = seconds._replace(high=seconds.high * (1 + _FAILURES))
    gb_seconds = seconds.times(limits.memory_mb / 1024 / limits.side_by_side)
    temp = max(0, limits.temp_mb - 512) / 1024 * prices.lambda_temp_gb_second
    invocations = batches / limits.side_by_side
    lambda_usd = gb_seconds.times(prices.lambda_gb_second[limits.processor])
    lambda_usd = lambda_usd.plus(
        invocations * prices.lambda_million_requests / 1e6 + seconds.likely / limits.side_by_side * temp
    )
    # Who was seen in archives alone is taken to make all files that there are.
    files = costs.objects or len(ALL_FIVE)
    objects = files * samples if output_format == "files" else batches
    return GeneratorPrice(
        line.generator,
        samples,
        size,
        batches,
        one,
        seconds,
        gb_seconds,
        lambda_usd,
        request_usd(objects, batches, prices),
        costs.stored_bytes.each * samples,
        _does_not_fit(costs, size, slower, limits),
        tuple(certificate.remarks(line.samples)),
    )


def affordable_size(
    line: GeneratorPlan, certificate: Certificate, terms: Terms, output_format: OutputFormat, usd: float
) -> int:
    """The largest batch of a generator, below its size, that costs so much at most; 0 where none does."""

    def most(samples: int) -> float:
        batch = line._replace(batch_size=samples)
        return price_generator(batch, [IndexRange(0, samples)], certificate, terms, output_format).usd.high

    return bisect_right(range(1, line.batch_size), usd, key=most)


def request_usd(objects: float, batches: float, prices: Prices) -> float:
    """What the requests of batches cost that put so many objects: to S3 and SQS, the run's own listings included."""
    puts = objects + batches * (_PUTS_A_BATCH + _LISTS_A_BATCH) + _LOOKS * objects / 1000
    return (
        puts / 1000 * prices.s3_thousand_puts
        + batches * _GETS_A_BATCH / 1000 * prices.s3_thousand_gets
        + batches * _SQS_A_MESSAGE / 1e6 * prices.sqs_million_requests
    )


def _count_batches(size: int, part: IndexRange) -> int:
    """How many planned batches of that size some samples lie in."""
    return (part.stop - 1) // size - part.start // size + 1


def _unsure(costs: Costs) -> float:
    """How far off the mean of many batches may be: less, the more were measured."""
    known = max(1, costs.seconds.batches)
    floor = _SURE + (_UNSURE - _SURE) * max(0.0, 1 - (known - 1) / _FEW)
    return min(0.6, floor + 2 * costs.seconds.spread / math.sqrt(known))


def _does_not_fit(costs: Costs, size: int, slower: float, limits: WorkerLimits) -> str:
    """The number of a batch that does not fit into the workers' limits; empty where all do."""
    seconds = costs.seconds.of(size) * slower
    if seconds > limits.timeout_seconds * 0.85:
        return f"a batch of {size} takes {format_duration(seconds)}, and the function ends after {format_duration(limits.timeout_seconds)}"
    for what, line, limit in (
        ("memory", costs.memory_bytes, limits.batch_memory_bytes / 0.75),
        ("temporary files", costs.disk_bytes, limits.batch_disk_bytes / 0.75),
    ):
        if line.of(size) > limit:
            return f"a batch of {size} takes {format_bytes(line.of(size))} of {what}, and {format_bytes(limit)} are its share"
    return ""


def price_plan(
    plan: Plan,
    missing: Mapping[str, Ranges],
    certified: Certified,
    terms: Terms,
    again: Mapping[str, Replays] = MappingProxyType({}),
) -> PlanPrice:
    """What making what a plan lacks takes.

    Args:
        plan: the dataset's plan.
        missing: the samples that each generator lacks; those that lack none may be left out.
        certified: what its generators have proved.
        terms: the workers' limits, and the prices.
        again: runs that are made again for some of these samples, by generator.
    """
    wanted = [line for line in plan.generators.values() if missing.get(line.generator)]
    known = [
        line for line in wanted if line.generator not in certified.failed and _is_priced(certified, line)
    ]
    names = {line.generator for line in known}
    as_it_is = terms

    def priced(terms: Terms) -> tuple[GeneratorPrice, ...]:
        counts = {name: sum(one.size for one in ranges) for name, ranges in missing.items()}
        sized = sizes(plan, counts, certified.passed, terms.limits)
        if terms is as_it_is:
            sized |= plan.sizes
        return tuple(
            price_generator(
                line._replace(batch_size=sized.get(line.generator, line.batch_size)),
                missing[line.generator],
                certified.passed[line.generator],
                terms,
                plan.spec.output_format,
                again.get(line.generator),
            )
            for line in known
        )

    generators = priced(terms)
    return PlanPrice(
        plan.spec.dataset,
        generators,
        tuple(line.generator for line in wanted if line.generator not in names | certified.failed.keys()),
        {name: why for name, why in certified.failed.items() if missing.get(name)},
        len(plan.generators) - len(wanted),
        wall_seconds((one.work for one in generators), terms.limits).plus(
            _COLD_SECONDS if generators else 0.0
        ),
        terms,
        tuple(_choices(priced, terms)) if generators else (),
    )


def _is_priced(certified: Certified, line: GeneratorPlan) -> bool:
    found = certified.passed.get(line.generator)
    return found is not None and found.passed and found.costs.seconds.batches > 0


def _choices(priced: Callable[[Terms], tuple[GeneratorPrice, ...]], terms: Terms) -> list[Choice]:
    found = []
    for processor in terms.prices.lambda_gb_second:
        for memory in sorted({*_MEMORY_SIZES, terms.limits.memory_mb}):
            limits = terms.limits._replace(memory_mb=memory, processor=processor)
            generators = priced(terms._replace(limits=limits))
            problem = next((f"{one.generator}: {one.problem}" for one in generators if one.problem), "")
            usd = None if problem else total(one.lambda_usd for one in generators).likely
            found.append(
                Choice(
                    memory,
                    processor,
                    usd,
                    wall_seconds((one.work for one in generators), limits).likely,
                    problem,
                )
            )
    return sorted(found, key=lambda one: (one.usd is None, one.usd or 0.0, one.memory_mb))
