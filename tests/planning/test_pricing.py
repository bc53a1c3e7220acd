"""What a plan takes: batch sizes, time and money."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.certified import certificate
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.usage import Host
from vbvrdatafactory.planning.batch_sizes import choose_batch_size, sizes
from vbvrdatafactory.planning.estimates import Estimate, total
from vbvrdatafactory.planning.plan import GeneratorPlan, Plan, make_spec
from vbvrdatafactory.planning.pricing import (
    Certified,
    PlanPrice,
    Terms,
    affordable_size,
    price_generator,
    price_plan,
)
from vbvrdatafactory.planning.wall_time import wall_seconds
from vbvrdatafactory.planning.worker_limits import WorkerLimits
from vbvrdatafactory.pricelist import read_prices

PRICES = read_prices("us-east-2")
LIMITS = WorkerLimits(memory_mb=1769, is_known=True)
TERMS = Terms(LIMITS, PRICES)
MANY = 10**9


def price(samples: int = 10_000, size: int = 100, terms: Terms = TERMS, output_format="files", **costs):
    line = GeneratorPlan("G-1_x", samples, size)
    return price_generator(line, [IndexRange(0, samples)], certificate(**costs), terms, output_format)


def plan_price(
    certificates, samples: int = 10_000, terms: Terms = TERMS, failed=None, batch_size="auto"
) -> PlanPrice:
    names = [one.generator for one in certificates] + sorted(failed or {})
    plan = Plan(make_spec(dataset="d", generators=names, samples=samples, batch_size=batch_size))
    missing = dict.fromkeys(names, (IndexRange(0, samples),))
    certified = Certified({one.generator: one for one in certificates}, failed or {})
    return price_plan(plan, missing, certified, terms)


def test_a_price_is_the_list_price_of_what_batches_take() -> None:
    """100 batches of 1 + 100 x 0.1 s on 1,769 MB, and requests: each part as AWS bills it."""
    found = price()
    assert (found.batches, found.batch_size, found.batch_seconds.likely) == (100, 100, 11.0)
    assert found.gb_seconds.likely == pytest.approx(1100 * 1769 / 1024)
    compute = 1100 * 1769 / 1024 * 0.0000166667
    requests, temp = 100 * 0.20 / 1e6, 1100 * 3.5 * 0.0000000309
    assert found.lambda_usd.likely == pytest.approx(compute + requests + temp)
    puts = 50_000 + 200 + 12 * 50
    assert found.request_usd == pytest.approx(
        puts / 1000 * 0.005 + 200 / 1000 * 0.0004 + 210 / 1e6 * 0.40, rel=1e-6
    )
    assert found.stored_bytes == 10_000 * 50_000


def test_archives_spare_requests() -> None:
    """One object for each batch in place of five for each sample."""
    assert price(output_format="tar").request_usd < price().request_usd / 50
    both = plan_price([certificate()])
    assert both.archive_request_usd < both.request_usd / 50


def test_only_what_is_missing_is_priced() -> None:
    """In the batches that it lies in."""
    line = GeneratorPlan("G-1_x", 10_000, 100)
    holes = [IndexRange(50, 250), IndexRange(990, 1010)]
    found = price_generator(line, holes, certificate(), TERMS)
    assert (found.samples, found.batches) == (220, 5)
    assert found.seconds.likely == pytest.approx(5 * 1.0 + 220 * 0.1)


def test_few_measured_batches_make_a_wide_range() -> None:
    """Many that differ little make a narrow one; many that differ much a wider one."""
    few, many, rough = (
        price(batches=count, spread=spread) for count, spread in ((2, 0.02), (50, 0.02), (50, 0.9))
    )
    wide = [one.gb_seconds.high / one.gb_seconds.likely for one in (many, few, rough)]
    assert 1.1 < wide[0] < 1.15 < wide[1] < 1.4
    assert wide[2] > wide[0] + 0.2


def test_the_range_of_many_generators_is_narrower_than_that_of_one() -> None:
    """Some take more than was thought, others less; but what slows one down may slow down all."""
    one = total([Estimate(80, 100, 120)])
    hundred = total([Estimate(80, 100, 120)] * 100)
    assert one == Estimate(80, 100, 120)
    assert (hundred.low, hundred.high) == (pytest.approx(8579, abs=1), pytest.approx(11_421, abs=1))
    assert total([]) == Estimate()


# Batch sizes


def test_a_batch_is_as_long_as_the_limits_allow_with_a_margin() -> None:
    """Here the time ends it, at three fifths of the function's."""
    size = choose_batch_size(certificate(each=2.0).costs, 100_000, LIMITS, MANY)
    assert 0.5 * 900 < 1 + 2 * size < 0.6 * 900


@pytest.mark.parametrize(
    ("costs", "limit"),
    [
        ({"memory_each": 20_000_000}, lambda size: 100e6 + 20e6 * size < LIMITS.batch_memory_bytes),
        ({"disk_each": 30_000_000}, lambda size: 30e6 * size < LIMITS.batch_disk_bytes),
        ({"largest": 8, "each": 0.001}, lambda size: size <= 160),
    ],
)
def test_memory_disk_and_what_was_measured_limit_a_batch_too(costs, limit) -> None:
    """Whatever is reached first; and never many times what anybody has seen run."""
    size = choose_batch_size(certificate(**costs).costs, 100_000, LIMITS, MANY)
    assert limit(size)
    assert not limit(size * 2)


def test_no_batch_is_longer_than_a_message_can_ask_for() -> None:
    """A thousand, and no more than are missing."""
    costs = certificate(each=0.001, memory_each=1).costs
    assert choose_batch_size(costs, 100_000, LIMITS, MANY) == 1000
    assert choose_batch_size(costs, 300, LIMITS, MANY) == 300


def test_batches_are_of_equal_length() -> None:
    """No rest of a few samples that costs a start of its own."""
    size = choose_batch_size(certificate(each=0.001, memory_each=1).costs, 1010, LIMITS, MANY)
    assert size == 505


def test_batches_divide_the_dataset_whatever_is_there_already() -> None:
    """Their borders are counted from its first sample: 436 of 500 in batches of at most 400 are two, not three."""
    costs = certificate(each=0.001, memory_each=1, largest=20).costs
    assert choose_batch_size(costs, 436, LIMITS, MANY, planned=500) == 250
    assert choose_batch_size(costs, 100, LIMITS, MANY, planned=10_000) == 400


def test_a_batch_is_as_large_as_it_may_cost() -> None:
    """Smaller than planned, and not a sample more than the money pays at the upper end of its price; none where it pays no start."""
    line, passed = GeneratorPlan("G-1_x", 10_000, 100), certificate(start=1.0, each=0.1)
    prices = {
        size: price_generator(line._replace(batch_size=size), [IndexRange(0, size)], passed, TERMS).usd.high
        for size in (1, 40, 41, 100)
    }
    assert affordable_size(line, passed, TERMS, "files", prices[40]) == 40
    assert affordable_size(line, passed, TERMS, "files", prices[41] * 0.9999) == 40
    assert affordable_size(line, passed, TERMS, "files", prices[1] * 0.9) == 0
    assert affordable_size(line, passed, TERMS, "files", prices[100] * 2) == 99


def test_where_functions_would_be_idle_batches_are_shorter() -> None:
    """Down to where starting them begins to count: here 49 starts' worth of samples."""
    size = choose_batch_size(certificate().costs, 10_000, LIMITS)
    assert size == pytest.approx(1.0 / 0.1 * 49, rel=0.05)
    alone = choose_batch_size(certificate().costs, 10_000, LIMITS._replace(concurrency=2))
    assert alone > size


def test_where_not_even_one_sample_fits_the_number_is_told() -> None:
    """The price says what it takes, and what there is."""
    slow = plan_price([certificate(start=800, each=900)])
    assert slow.generators[0].batch_size == 1
    assert slow.problems == ["G-1_x: a batch of 1 takes 28 min 20 s, and the function ends after 15 min 00 s"]
    fat = plan_price([certificate(memory_each=2e9)])
    assert "2.1 GB of memory" in fat.problems[0]
    assert "1.6 GB are its share" in fat.problems[0]


def test_a_batch_size_that_was_asked_for_and_does_not_fit_is_told() -> None:
    """Nobody's number is changed."""
    found = plan_price([certificate(each=2.0)], batch_size=500)
    assert found.problems == [
        "G-1_x: a batch of 500 takes 16 min 41 s, and the function ends after 15 min 00 s"
    ]


@given(st.floats(0.05, 5), st.floats(0.005, 3), st.floats(1e4, 5e7), st.integers(2, 990))
def test_chosen_sizes_cost_no_more_than_25_or_100(start, each, memory, concurrency) -> None:
    """Unless these don't fit; where functions would be idle, two percent at most are given for an earlier end."""
    costs = certificate(start=start, each=each, memory_each=memory, largest=100).costs
    limits = LIMITS._replace(concurrency=concurrency)
    size = choose_batch_size(costs, 100_000, limits, MANY)
    shared = choose_batch_size(costs, 100_000, limits)
    assert costs.memory_bytes.of(size) <= limits.batch_memory_bytes
    assert costs.seconds.of(size) <= limits.batch_seconds
    for other in (25, 100):
        if costs.memory_bytes.of(other) > limits.batch_memory_bytes:
            continue
        if costs.seconds.of(other) > limits.batch_seconds:
            continue
        mine, its = (math.ceil(100_000 / n) * costs.seconds.start for n in (size, other))
        assert mine <= its
        assert costs.seconds.of(shared) / shared <= costs.seconds.of(other) / other * 1.03


def test_sizes_are_chosen_for_those_alone_that_have_none() -> None:
    """One that somebody gave stays; one without a certificate has the size of its probes."""
    spec = make_spec(
        dataset="d",
        generators=["A", "B", "C"],
        samples=1000,
        batch_size="auto",
        overrides={"B": {"batch_size": 7}},
    )
    plan = Plan(spec)
    assert plan.automatic == ("A", "C")
    chosen = sizes(plan, {}, {name: certificate(name) for name in "AB"}, LIMITS)
    assert list(chosen) == ["A"]
    resized = Plan(spec, chosen)
    assert [line.batch_size for line in resized.generators.values()] == [chosen["A"], 7, 32]


def test_legacy_seeds_need_a_number() -> None:
    """They count batches."""
    with pytest.raises(ValueError, match="legacy seeds count batches"):
        make_spec(generators=["A"], samples=1, batch_size="auto", seeds="legacy")


# Time


def test_work_is_shared_by_the_functions() -> None:
    """On two that start at once, half of it and up to one batch more."""
    limits = LIMITS._replace(concurrency=2, ramp_per_minute=0)
    found = wall_seconds([price(samples=1000, terms=Terms(limits, PRICES)).work], limits)
    assert found.likely == pytest.approx(110 / 2 + 11 / 2)
    assert found.low < 55 < found.likely < found.high


def test_functions_start_gradually() -> None:
    """5 at once and 5 more each second: a thousand seconds of work take 19 s, not one."""
    found = wall_seconds([price(samples=10_000, start=0, each=0.1).work], LIMITS)
    assert found.likely == pytest.approx(19.0 + 5, rel=0.1)


def test_no_run_is_shorter_than_a_batch() -> None:
    """However many functions there are."""
    assert wall_seconds([price(samples=1000, size=1000).work], LIMITS).low >= 100


# Hosts


def test_a_smaller_function_takes_longer() -> None:
    """Half a processor doubles the time of a batch that keeps one busy; more than one helps nobody."""
    for memory, factor in ((1024, 1769 / 1024), (884, 2.0), (3008, 1.0)):
        there = price(terms=Terms(LIMITS._replace(memory_mb=memory, temp_mb=512), PRICES))
        assert there.batch_seconds.likely == pytest.approx(11 * factor, rel=0.01)


def test_what_was_measured_on_a_small_function_is_not_made_slower_again() -> None:
    """It took that long there, and takes no longer on the same."""
    half = Host(function_mb=884, processor="x86_64")
    found = price(host=half, terms=Terms(LIMITS._replace(memory_mb=884), PRICES))
    assert found.batch_seconds.likely == pytest.approx(11.0, rel=0.01)


def test_the_cheapest_choice_comes_first() -> None:
    """One that does not fit is last, and says why."""
    choices = plan_price([certificate(memory_each=2e6), certificate("G-2_y", memory_each=9e8)]).choices
    priced = [one.usd for one in choices if one.usd is not None]
    assert priced == sorted(priced)
    assert choices[0].processor == "arm64"
    assert choices[-1].usd is None
    assert "G-2_y: a batch of 1 takes 1.0 GB of memory" in choices[-1].problem
    assert {one.memory_mb for one in choices} >= {1024, 1769, 3008}


# A plan


def test_a_plan_adds_up() -> None:
    """Samples, batches, gigabyte-seconds, money and bytes are the sums of its generators'."""
    found = plan_price([certificate("A"), certificate("B", each=0.5)], batch_size=100)
    assert (found.samples, found.batches) == (20_000, 200)
    assert found.gb_seconds.likely == pytest.approx(sum(one.gb_seconds.likely for one in found.generators))
    assert found.usd.likely == pytest.approx(sum(one.usd.likely for one in found.generators))
    assert found.usd.low < found.usd.likely < found.usd.high
    assert found.starting_usd == pytest.approx(200 * 2.5 * 1769 / 1024 * 0.0000166667)
    assert found.storage_usd_month == pytest.approx(20_000 * 50_000 / 1e9 * 0.023)


def test_who_has_no_certificate_is_named_and_not_guessed() -> None:
    """So is who failed, with the reason; both are in no sum."""
    names = ["A", "B", "C"]
    plan = Plan(make_spec(dataset="d", generators=names, samples=100))
    missing = {"A": (IndexRange(0, 100),), "B": (IndexRange(0, 100),), "C": (IndexRange(0, 100),)}
    found = price_plan(plan, missing, Certified({"A": certificate("A")}, {"C": "crash"}), TERMS)
    assert (found.unknown, found.failed, found.samples, found.whole) == (("B",), {"C": "crash"}, 100, 0)
    assert price_plan(plan, {}, Certified(), TERMS).whole == 3


def test_two_batches_side_by_side_share_a_function() -> None:
    """The same memory and time pay for both."""
    two = LIMITS._replace(memory_mb=3538, side_by_side=2)
    assert price(terms=Terms(two, PRICES)).gb_seconds.likely == pytest.approx(price().gb_seconds.likely)


def test_files_of_a_generator_that_was_seen_in_archives_alone_are_priced_as_five() -> None:
    """Else the greater part of their price would be missing."""
    costs = certificate().costs.model_copy(update={"objects": 0.0})
    seen = plan_price([certificate().model_copy(update={"costs": costs})])
    assert seen.request_usd == pytest.approx(plan_price([certificate()]).request_usd)
