"""Runs that must not go on as if nothing were wrong: broken generators, spent budgets, two at once, pauses."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import obstore
import pytest
from prefect.client.orchestration import get_client

from flows.redrive_dead_letters import redrive_dead_letters
from vbvrdatafactory.control.circuit_breaker import PROBES
from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.core.seeds import batch_seed
from vbvrdatafactory.report.run_figures import Reason
from vbvrdatafactory.s3.listing import sizes, times
from vbvrdatafactory.s3.pause import write_pause
from vbvrdatafactory.sqs.depth import depth

pytestmark = [pytest.mark.aws, pytest.mark.prefect]


def attempts(factory, generator: str) -> int:
    """Messages of a generator that a worker took, by its records."""
    return len(
        [
            key
            for root in (keys.RECEIPTS, keys.FAILURES)
            for key, _ in sizes(factory.store, f"{root}{generator}")
        ]
    )


def test_a_broken_generator_costs_a_few_messages_and_is_reopened_by_one(factory) -> None:
    """Of 20 batches that would all fail 4 are sent, the other generator is complete; after the fix a run completes both."""
    good, bad = factory.add_generator("T-mended-good"), factory.add_generator("T-mended", crash="no font")
    report = factory.generate(good, bad, dataset="mended", samples=20, batch_size=1, max_rounds=4)
    tallies = {tally.generator: tally.whole for tally in report.generators}
    assert tallies == {good: 20, bad: 0}
    assert attempts(factory, bad) == 4
    assert [(broken.generator, broken.cause) for broken in report.run.broken] == [(bad, Cause.CRASH)]
    assert "ValueError: no font" in report.run.broken[0].detail
    assert {(letters.generator, letters.count) for letters in report.run.dead_letters} == {(bad, 4)}
    until(lambda: "vbvr.generator.T-mended" in resources_of("vbvr.generator.broken"))
    factory.add_generator("T-mended")
    report = factory.generate(good, bad, dataset="mended", samples=20, batch_size=1)
    assert (report.complete, report.run.messages, report.run.broken) == (True, 20, ())
    for kind in ("incomplete", "complete"):
        until(lambda: "vbvr.dataset.mended" in resources_of(f"vbvr.dataset.{kind}"))  # noqa: B023


def test_a_probe_that_takes_long_holds_nobody_back(factory) -> None:
    """What is held back goes as soon as one probe of its generator is done, while another's runs; nothing goes twice."""
    quick, late = "T-quick", "T-late"
    go_on = factory.generators / "go-on-late"
    factory.add_generator(quick)
    factory.add_generator(late, held=str(go_on), seeds=[batch_seed(42, late, 0)])

    def done() -> dict[tuple[str, int], datetime]:
        return {
            (name, keys.parse_receipt(key).indices.start): at
            for name in (quick, late)
            for key, at in times(factory.store, f"{keys.RECEIPTS}{name}")
        }

    def let_go() -> None:
        until(lambda: any(start >= PROBES for _, start in done()))
        go_on.touch()

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(let_go)
        report = factory.generate(quick, late, dataset="probed", samples=5, batch_size=1, poll_seconds=0.1)
        watching.result()
    assert (report.complete, report.run.messages) == (True, 10)
    found = done()
    assert min(at for (_, start), at in found.items() if start >= PROBES) < found[late, 0]


def test_a_missing_dependency_stops_a_generator_after_one_round(factory) -> None:
    """What no seed can cure is not tried again: two probes, then it is given up, and one probe asks again next time."""
    name = factory.add_generator("T-lacks", crash="x")
    script = factory.generators / name / "examples" / "generate.py"
    script.write_text("import a_package_that_nobody_has\n")
    report = factory.generate(name, dataset="lacks", samples=20, batch_size=1)
    assert (report.run.messages, report.run.rounds) == (2, 1)
    assert report.run.broken[0].cause is Cause.MISSING_DEPENDENCY
    assert "a_package_that_nobody_has" in report.run.broken[0].detail
    assert factory.generate(name, dataset="lacks", samples=20, batch_size=1).run.messages == 1


def test_a_run_that_spends_its_budget_ends_early(factory) -> None:
    """With one failed batch too many nothing more is sent, and the report says why, what is left and what to do."""
    name = factory.add_generator("T-spent", crash="bad day")
    report = factory.generate(name, dataset="spent", samples=4, batch_size=1, max_failures=2)
    assert (report.run.early.reason, report.run.rounds) == (Reason.BUDGET, 1)
    assert "batches failed, at most 2 may fail" in report.verdict
    assert report.verdict.startswith("spent is incomplete: 4 of 4 samples")


def test_of_two_runs_at_once_the_second_refuses_or_waits(factory, command_environment, caplog) -> None:
    """While one run makes a dataset another one refuses with its name, or waits and then finds nothing to do."""
    name = factory.add_generator("T-both", slow=0.7)
    command = [sys.executable, "-m", "flows", "--dataset", "both", "-g", name, "-n", "16", "-b", "2"]
    first = subprocess.Popen(
        command, env=command_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: factory.inventory()[name].whole(IndexRange(0, 16)) >= 2)
        with pytest.raises(AssertionError, match="'both' is being made by run"):
            factory.generate(name, dataset="both", samples=16, batch_size=2, if_busy="refuse")
        report = factory.generate(name, dataset="both", samples=16, batch_size=2)
    finally:
        output, _ = first.communicate()
    assert (report.complete, report.run.messages) == (True, 0)
    assert "waiting: 'both' is being made by run" in caplog.text
    assert (
        output.decode().splitlines()[-1]
        == "RESULT expected=16 whole=16 torn=0 missing=0 messages=8 other_seed=0 right=16"
    )


def test_a_paused_run_sends_nothing_until_it_is_resumed(factory, caplog) -> None:
    """Paused before it sends, it stands still without a stall; resumed, it completes."""
    name = factory.add_generator("T-paused")
    pause(factory, "paused", wanted=True)

    def resume() -> None:
        until(lambda: "paused by tester" in caplog.text)
        time.sleep(2)  # it would be stalled by now
        before.append((depth(factory.sqs, factory.config.sqs_queue_url).total, attempts(factory, name)))
        pause(factory, "paused", wanted=False)

    before: list[tuple[int, int]] = []
    with ThreadPoolExecutor(1) as pool:
        resuming = pool.submit(resume)
        report = factory.generate(name, dataset="paused", stall_minutes=0.02)
        resuming.result()
    assert before == [(0, 0)]
    assert (report.complete, report.run.messages) == (True, 2)
    assert caplog.text.count("paused by tester") == 1


def test_only_letters_of_the_dataset_are_filed_each_with_its_cause(factory) -> None:
    """A stranger's letter stays; ours, which SQS itself gave up without a word, is filed as lost with its worker."""
    name = factory.add_generator("T-letters")
    # A run that ended early leaves what its workers still gave up afterwards.
    factory.sqs.purge_queue(QueueUrl=factory.config.sqs_dlq_url)
    for dataset in ("letters", "other"):
        message = TaskMessage(type=name, num_samples=4, dataset=dataset)
        factory.sqs.send_message(QueueUrl=factory.config.sqs_dlq_url, MessageBody=message.to_json())
    try:
        assert factory.generate(name, dataset="letters").complete
        filed = [key for key, _ in sizes(factory.store, keys.dataset_file("letters", "dead-letters"))]
        assert len(filed) == 1
        assert b'"cause": "worker-lost"' in bytes(obstore.get(factory.store, filed[0]).bytes())
        assert depth(factory.sqs, factory.config.sqs_dlq_url).total == 1
    finally:
        factory.sqs.purge_queue(QueueUrl=factory.config.sqs_dlq_url)


def test_dead_letters_go_back_on_request(factory) -> None:
    """A dry run counts and moves nothing; then one generator's letters are made, and the other's stay."""
    names = [factory.add_generator(name) for name in ("T-back", "T-stays")]
    for name in names:
        body = TaskMessage(type=name, num_samples=4).to_json()
        factory.sqs.send_message(QueueUrl=factory.config.sqs_dlq_url, MessageBody=body)
    try:
        dry, done = (
            redrive_dead_letters(["T-back"], dry_run=dry_run, return_state=True) for dry_run in (True, False)
        )
        assert (
            dry.message
            == "1 dead letter of 1 generator would go back to the task queue. T-back: 1 worker-lost"
        )
        assert (
            done.message == "1 dead letter of 1 generator went back to the task queue. T-back: 1 worker-lost"
        )
        until(lambda: factory.inventory()["T-back"].whole(IndexRange(0, 4)) == 4)
        assert depth(factory.sqs, factory.config.sqs_dlq_url).total == 1
    finally:
        factory.sqs.purge_queue(QueueUrl=factory.config.sqs_dlq_url)


def resources_of(event: str) -> set[str]:
    """What the latest events of this name are about, as far as the Prefect server has them by now."""
    body = {"filter": {"event": {"name": [event]}}}
    with get_client(sync_client=True) as client:
        answer = client._client.post("/events/filter", json=body).json()
    return {one["resource"]["prefect.resource.id"] for one in answer["events"]}


def pause(factory, dataset: str, *, wanted: bool) -> None:
    write_pause(factory.store, dataset, PauseState(paused=wanted, by="tester", at=datetime.now(UTC)))


def until(true, seconds: float = 300) -> None:
    """Wait until `true()` holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.2)
