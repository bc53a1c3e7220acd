"""Certificates, price, approval and budget of a run: the real loop on AWS in memory, with a worker that measures."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import obstore
import pytest

from tests.certified import receipt as measured
from tests.driver.test_loop import TAKEN_OVER, World
from vbvrdatafactory.control.approval import Approval
from vbvrdatafactory.control.circuit_breaker import PROBES
from vbvrdatafactory.control.spending import Spending
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.certificates import Certificate
from vbvrdatafactory.core.contract import ALL_FIVE
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import expand
from vbvrdatafactory.core.records import FailureRecord, MadeBy, Receipt, StoredObject
from vbvrdatafactory.core.usage import Repetition, RunUsage
from vbvrdatafactory.driver.loop import Loop, make_complete
from vbvrdatafactory.driver.wait import WaitResult
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.planning.pricing import PlanPrice
from vbvrdatafactory.report.run_figures import Reason
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.approval import read_approval, write_approval
from vbvrdatafactory.s3.certificates import read_certificates, write_certificate
from vbvrdatafactory.s3.checksums import unquoted

LIGHT, HEAVY, BROKEN = "G-1_light", "G-2_heavy", "G-3_broken"
SECONDS = {LIGHT: 0.05, HEAVY: 2.0, BROKEN: 1.0}


class Measuring(World):
    """Whose worker files receipts with what each batch used, and failure records with stderr."""

    def __init__(self, cloud: Any, samples: int = 600, batch_size: int | str = 20, **generators: Any) -> None:
        super().__init__(cloud, samples, **generators)
        self.plan = Plan(
            make_spec(
                dataset="d", generators=tuple(self.plan.generators), samples=samples, batch_size=batch_size
            )
        )
        self.prices: list[tuple[str, PlanPrice, Any]] = []
        self.sent: list[list[TaskMessage]] = []

    def loop(self, early: Any = None, **policy: Any) -> Loop:
        made = super().loop(early, **policy)
        made.find_certificates(self.look())
        return made

    def wait(self, run: Any, step: str, held_back: Any = ()) -> Any:
        self.sent.append(self.cloud.messages())
        return super().wait(run, step, held_back)

    def publish_plan(self, plan: Plan, price: PlanPrice, step: str, costs: Any = None) -> None:
        super().publish_plan(plan, price, step, costs)
        self.prices.append((step, price, costs))

    def work(self, message: TaskMessage) -> None:
        cause = self.fails.get(message.type)
        if cause:
            self.fail(message, cause)
            return
        each, count = SECONDS[message.type], message.num_samples
        made = measured(count, start=message.start_index, seconds=0.5 + each * count, generator=message.type)
        objects = {index: self.put(message.type, index) for index in expand(message.wanted)}
        fewer = RunUsage(samples=max(1, count // 4), seconds=0.4 + each * (count // 4), memory_bytes=9**8)
        changes = {
            "message": message.plain,
            "seed": message.seed,
            "task": "t",
            "stored": message.wanted,
            "objects": objects,
            "digests": {index: f"digest {message.type} {index}" for index in objects},
            "repetition": Repetition(runs=(fewer,), of_fewer=True) if message.certify else None,
            "finished_at": datetime.now(UTC),
        }
        if message.certify:
            changes["usage"] = made.usage.model_copy(update={"certifying_seconds": 0.4})
        name = keys.receipt_name(datetime.now(UTC), f"{message.start_index:08x}")
        key = keys.ReceiptKey(message.type, message.indices, message.salt, message.seed, name)
        records.write(
            self.cloud.store, keys.receipt(key), Receipt.model_validate(made.model_copy(update=changes))
        )

    def put(self, generator: str, index: int) -> tuple[StoredObject, ...]:
        folder = keys.sample_folder(keys.SampleFolder(generator, "t", index))
        return tuple(
            StoredObject(name, 1, unquoted(obstore.put(self.cloud.store, f"{folder}/{name}", b"x")["e_tag"]))
            for name in ALL_FIVE
        )

    def fail(self, message: TaskMessage, cause: Cause) -> None:
        record = FailureRecord(
            message=message,
            cause=cause,
            detail="the generator ended with exit code 1: ValueError: boom",
            stderr_tail="Traceback\nValueError: boom",
            attempt=1,
            generator_digest="code",
            made_by=MadeBy(environment="env", worker="1 abc"),
            failed_at=datetime.now(UTC),
        )
        key = keys.FailureKey(message.type, message.indices, message.salt, 1, cause)
        records.write(self.cloud.store, keys.failure(key), record)

    @property
    def certificates(self) -> dict[str, Certificate]:
        found = read_certificates(self.cloud.store, self.plan.generators.keys())
        return {name: its[-1] for name, its in found.items()}

    @property
    def made(self) -> int:
        return self.plan.sample_count - self.look().gaps.sample_count


@pytest.fixture
def make(cloud) -> Callable[..., Measuring]:
    return lambda **otherwise: Measuring(cloud, **{"generators": (LIGHT, HEAVY), **otherwise})


def play(world: Measuring, **policy: Any) -> Loop:
    """A whole run."""
    loop = world.loop(**policy)
    seen = loop.run_rounds(world.look())
    loop.report(seen, seconds=10.0)
    return loop


# Certificates


def test_a_run_certifies_its_generators_with_their_probes(make) -> None:
    """Their samples are the dataset's first; the certificates are filed, and say what batches take."""
    world = make()
    loop = play(world)
    assert world.made == 1200
    assert loop.rounds == 1
    first = world.sent[0]
    assert [message.certify for message in first] == [True] * 2 * PROBES
    assert sum(message.certify for sent in world.sent for message in sent) == 2 * PROBES
    found = world.certificates
    assert {name: one.passed for name, one in found.items()} == {LIGHT: True, HEAVY: True}
    assert found[HEAVY].costs.seconds.each == pytest.approx(2.0, rel=0.05)
    assert found[LIGHT].costs.seconds.start == pytest.approx(0.5, rel=0.2)
    assert found[LIGHT].repeats


def test_a_certified_generator_is_not_certified_again(make) -> None:
    """The next run sends all at once."""
    world = make()
    play(world)
    world.plan = Plan(make_spec(dataset="d", generators=(LIGHT, HEAVY), samples=900, batch_size=20))
    world.sent.clear()
    play(world)
    assert len(world.sent) == 1
    assert not any(message.certify for message in world.sent[0])


def test_one_of_another_worker_is_certified_again(make) -> None:
    """A newer one made the latest batch: what its batches take nobody knows."""
    world = make()
    play(world)
    for one in world.certificates.values():
        write_certificate(world.cloud.store, one.model_copy(update={"worker": "0 before"}))
    world.plan = Plan(make_spec(dataset="d", generators=(LIGHT, HEAVY), samples=900, batch_size=20))
    world.sent.clear()
    play(world)
    assert sum(message.certify for message in world.sent[0]) == 2 * PROBES


def test_one_that_fails_is_sent_nothing_more_and_the_others_go_on(make) -> None:
    """Its certificate and the report say why, with its stderr."""
    world = make(generators=(LIGHT, BROKEN))
    world.fails = {BROKEN: Cause.MISSING_DEPENDENCY}
    loop = play(world)
    assert world.made == 600
    sent = [message for sent in world.sent for message in sent if message.type == BROKEN]
    assert len(sent) == PROBES
    found = world.certificates[BROKEN]
    assert (found.passed, found.cause) == (False, Cause.MISSING_DEPENDENCY)
    assert "ValueError: boom" in found.stderr_tail
    (broken,) = loop.broken
    assert (broken.generator, broken.cause) == (BROKEN, Cause.MISSING_DEPENDENCY)
    assert "ValueError: boom" in broken.stderr_tail


def test_a_probe_that_fails_after_the_other_one_certified_is_told(make) -> None:
    """The rest went as soon as one was made; at the end of the round the certificate says that one of two failed."""
    world = make(generators=(LIGHT,))
    late: list[TaskMessage] = []
    work = world.work

    def second_is_late(message: TaskMessage) -> None:
        if message.certify and message.start_index:
            late.append(message)
            return
        if late and not message.certify:
            world.fail(late.pop(), Cause.CRASH)
        work(message)

    world.work = second_is_late
    world.endings = [WaitResult(proven=frozenset({LIGHT}))]
    play(world)
    found = world.certificates[LIGHT]
    assert (found.passed, found.made, found.failed) == (True, 1, 1)
    assert found.remarks()[0].startswith("1 of 2 certifying batches failed (crash: ")


def test_what_is_learned_goes_into_the_certificate(make) -> None:
    """After the run it is fitted to all batches, and counts distinct samples."""
    world = make()
    play(world)
    found = world.certificates[LIGHT]
    assert found.costs.seconds.batches >= 30
    assert (found.known, found.distinct) == (600, 600)


def test_one_that_failed_at_first_is_certified_when_it_works(make) -> None:
    """Its first seeds crashed it; the next ones certify it in the same run, with a budget and without."""
    for limits in ({}, {"max_cost_usd": 50.0}):
        world = make(generators=(LIGHT,), samples=600)
        work = world.work

        def at_first(message: TaskMessage, world: Measuring = world, work: Any = work) -> None:
            if message.salt == 0 and message.start_index < 40:
                world.fail(message, Cause.CRASH)
            else:
                work(message)

        world.work = at_first
        play(world, **spending(**limits))
        assert world.made == 600
        assert world.certificates[LIGHT].passed
        obstore.delete(world.cloud.store, [one["path"] for one in obstore.list(world.cloud.store).collect()])


def test_in_a_region_without_prices_a_run_goes_on_and_a_budget_does_not(make, monkeypatch, caplog) -> None:
    """The estimate names whose prices they are; a limit by prices of another region would be none."""
    world = make(generators=(LIGHT,))
    world.services.config = world.services.config.but(aws_region="mars-1")
    assert "us-east-2" in play(world).run.terms.prices.region
    assert world.made == 600
    assert "no prices of 'mars-1'" in caplog.text
    world.plan = Plan(make_spec(dataset="d", generators=(LIGHT,), samples=900, batch_size=20))
    with pytest.raises(ConfigError, match="no prices of 'mars-1'"):
        world.loop(**spending(max_cost_usd=5))


def test_a_run_that_lost_its_dataset_files_no_costs(make) -> None:
    """They are the other run's to file."""
    world = make(generators=(LIGHT,))
    loop = world.loop()
    world.endings = [WaitResult(), WaitResult(TAKEN_OVER)]
    seen = loop.run_rounds(world.look())
    before = len(world.prices)
    assert loop.report(seen, seconds=1.0).costs is None
    assert len(world.prices) == before


# Batch sizes


def test_automatic_batches_are_as_long_as_the_certificate_says(make) -> None:
    """Probes have 32 samples; then a light generator has longer batches than a heavy one, and all is made."""
    world = make(samples=4000, batch_size="auto")
    loop = play(world)
    assert world.made == 8000
    sizes = {name: line.batch_size for name, line in loop.run.plan.generators.items()}
    assert sizes[HEAVY] < 32 < sizes[LIGHT] <= 640
    assert {message.num_samples for message in world.sent[0]} == {32}


def test_a_size_that_was_chosen_stays_in_a_run(make) -> None:
    """What is learned of it moves no borders: each planned batch is sent once and whole."""
    world = make(samples=4000, batch_size="auto")
    loop = play(world, **spending(max_cost_usd=0.3))
    sent = [message for sent in world.sent for message in sent if not message.certify]
    size = loop.run.plan.generators[LIGHT].batch_size
    lights = [message for message in sent if message.type == LIGHT]
    assert len(world.sent) > 2
    assert [message.start_index % size for message in lights[1:]] == [0] * (len(lights) - 1)


def test_a_batch_that_would_not_fit_is_not_sent(make) -> None:
    """The number is told; the other generator is made."""
    world = make(samples=4000, batch_size=500)
    loop = play(world)
    assert world.made == 4000 + 2 * 500
    assert "G-2_heavy was sent nothing more: a batch of 500 takes 16 min" in loop.problems[HEAVY]


# The plan


def test_the_plan_is_shown_when_all_is_certified_and_again_with_what_it_took(make) -> None:
    """It lies with the dataset's reports, as a page and as JSON; what it took is within the range."""
    world = make()
    loop = play(world)
    (_, price, before), (_, _, costs) = world.prices
    assert before is None
    assert {one.generator: one.samples for one in price.generators} == {LIGHT: 560, HEAVY: 560}
    assert costs.forecast_usd.holds(costs.usd)
    for row in costs.generators:
        assert row.forecast_gb_seconds.holds(row.gb_seconds)
        assert row.forecast_samples == row.samples == 560
    page = bytes(obstore.get(world.cloud.store, keys.dataset_file("d", "plan.html")).bytes()).decode()
    assert "It took" in page
    assert LIGHT in page
    filed = json.loads(bytes(obstore.get(world.cloud.store, keys.dataset_file("d", "plan.json")).bytes()))
    assert filed["usd"]["likely"] == pytest.approx(price.usd.likely)
    assert {one["generator"]: one["samples"] for one in filed["generators"]} == {LIGHT: 560, HEAVY: 560}
    assert filed["terms"]["prices"]["dated"] == "2026-07-01"
    assert loop.run.forecast_seconds is not None


# Spending


def usd(world: Measuring) -> float:
    """What the whole dataset costs."""
    return play(world).run.spent.total.usd


def spending(**limits: Any) -> dict[str, Spending]:
    return {"spending": Spending(**limits)}


def approve(world: Measuring, amount: float) -> None:
    write_approval(world.cloud.store, "d", Approval(max_cost_usd=amount, at=datetime.now(UTC)))


def test_nothing_but_probes_is_sent_before_somebody_approves(make) -> None:
    """The run ends with the price and what to type; approved, the next one makes all."""
    world = make()
    loop = play(world, **spending(require_approval=True))
    assert loop.early.reason is Reason.APPROVAL
    assert "nobody approved $" in loop.early.detail
    assert "datafactory approve d --max-cost-usd" in loop.early.next_move
    assert [message.certify for sent in world.sent for message in sent] == [True] * 2 * PROBES
    assert world.prices[0][1].samples == 1120
    approve(world, 1000)
    assert play(world, **spending(require_approval=True)).early is None
    assert world.made == 1200


def test_a_small_approval_is_not_enough(make) -> None:
    """It says how much was approved, and how much is needed."""
    world = make()
    approve(world, 0.0001)
    loop = play(world, **spending(require_approval=True))
    assert loop.early.reason is Reason.APPROVAL
    assert "and of $0.0001 approved" in loop.early.detail


def test_a_budget_ends_the_run_when_it_is_used_up(make) -> None:
    """Within two percent of it and never above; with what is left and what that would cost. Then it goes on."""
    world = make(samples=3000)
    loop = play(world, **spending(max_cost_usd=0.1))
    assert loop.early.reason is Reason.SPENT
    assert 0.098 <= loop.run.spent.total.usd <= 0.1
    assert "of $0.1 that it may spend $0.0" in loop.early.detail
    assert "samples are left, for about $" in loop.early.detail
    assert len(world.sent) <= 8
    assert loop.rounds == 1
    before = world.made
    assert 600 < before < 6000
    assert play(world).early is None
    assert world.made == 6000


def test_the_end_of_a_budget_is_spent_in_shorter_batches(make) -> None:
    """Where no whole batch can be had for what is left, and their size is chosen: within two percent all the same."""
    world = make(generators=(HEAVY,), samples=3000, batch_size="auto")
    loop = play(world, **spending(max_cost_usd=0.02))
    assert loop.early.reason is Reason.SPENT
    assert 0.0196 <= loop.run.spent.total.usd <= 0.02
    assert world.sent[-1][0].num_samples < world.sent[1][1].num_samples / 2
    assert play(world).early is None
    assert world.made == 3000


def test_a_budget_that_is_enough_is_no_hindrance(make) -> None:
    """All is sent in one portion after the probes."""
    world = make()
    assert play(world, **spending(max_cost_usd=50)).early is None
    assert len(world.sent) == 2
    assert world.made == 1200


def test_what_fails_within_a_budget_is_tried_again_in_the_next_round(make) -> None:
    """As without one."""
    world = make(generators=(LIGHT,))
    work, failed = world.work, set[int]()

    def some_fail(message: TaskMessage) -> None:
        if message.start_index == 200 and message.start_index not in failed:
            failed.add(message.start_index)
            world.fail(message, Cause.UPLOAD)
        else:
            work(message)

    world.work = some_fail
    loop = play(world, **spending(max_cost_usd=50))
    assert (world.made, loop.rounds, loop.early) == (600, 2, None)


def test_an_approval_is_used_up_by_what_is_spent_after_it(make) -> None:
    """A second run has the rest of it, not all of it again."""
    world = make(samples=3000)
    play(world, **spending(max_cost_usd=0.05))
    approve(world, 1.0)
    loop = play(world, **spending(require_approval=True, max_cost_usd=0.1))
    assert loop.early.reason is Reason.SPENT
    assert world.made < 6000
    write_approval(world.cloud.store, "d", Approval(max_cost_usd=0.05, at=datetime(2020, 1, 1, tzinfo=UTC)))
    assert play(world, **spending(require_approval=True)).early.reason is Reason.APPROVAL


def test_an_approval_of_tomorrow_counts_from_now(make) -> None:
    """The clock of whoever approved is ahead: what is spent since is spent all the same."""
    world = make(samples=3000)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    write_approval(world.cloud.store, "d", Approval(max_cost_usd=0.2, at=tomorrow))
    loop = play(world, **spending(require_approval=True, max_cost_usd=0.15))
    assert loop.early.reason is Reason.SPENT
    write_approval(world.cloud.store, "d", Approval(max_cost_usd=0.2, at=tomorrow))
    assert read_approval(world.cloud.store, "d").at <= datetime.now(UTC)


def test_a_budget_holds_where_batches_take_more_than_their_probes_said(make) -> None:
    """Half as much again: each portion is priced by what those before it took."""
    world = make(samples=3000)
    loop = world.loop(**spending(max_cost_usd=0.1))
    seen = world.look()
    seen = loop.run_probes(list(seen.gaps), seen, "certify")
    slower = {name: 1.5 * each for name, each in SECONDS.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.driver.test_pricing_loop.SECONDS", slower)
        loop.run_rounds(seen)
    assert loop.early.reason is Reason.SPENT
    assert 0.09 < loop.run.spent.total.usd <= 0.1


def test_a_whole_run_reports_its_costs(cloud) -> None:
    """From lock to report: the figures are in the report, with prices and their date."""
    world = Measuring(cloud, generators=(LIGHT,), samples=100)
    world.guard = None
    from vbvrdatafactory.control.run_policy import RunPolicy

    figures = make_complete(world, world.plan, RunPolicy(), is_new=True)
    assert figures.costs.usd > 0
    assert "us-east-2" in figures.costs.prices
    assert "It took" in "\n".join(figures.remarks)
