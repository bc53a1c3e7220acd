"""Faults on the whole path: nothing lost, the report right."""

import json
import signal
import subprocess
import sys
import time

import pytest

from vbvrdatafactory import aws
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.s3.listing import sizes, take_evidence
from vbvrdatafactory.sqs.depth import depth

pytestmark = [pytest.mark.aws, pytest.mark.prefect]


def planned_seed(generator: str, start: int) -> int:
    plan = Plan(make_spec(generators=(generator,), samples=8, batch_size=4))
    return next(batch.seed for batch in plan if batch.start == start)


def test_a_crash_on_one_seed_is_healed(factory) -> None:
    """A generator that crashes on one batch's seed ends complete, with fresh samples under a new salt."""
    name = "T-crash-once"
    factory.add_generator(name, crash="bad luck", seeds=[planned_seed(name, 4)])
    report = factory.generate(name, dataset="crash-once")
    runs = {run.key.indices: run.key.salt for run in take_evidence(factory.store, [name]).runs(name)}
    assert report.complete
    assert runs == {IndexRange(0, 4): 0, IndexRange(4, 6): 1, IndexRange(6, 8): 1}


def test_a_generator_that_always_crashes_is_reported(factory) -> None:
    """A hopeless generator ends the run incomplete with its cause and last exception; the other is complete."""
    good = factory.add_generator("T-good")
    bad = factory.add_generator("T-hopeless", crash="no font called Wingdings")
    report = factory.generate(good, bad, dataset="hopeless", max_rounds=3)
    tallies = {tally.generator: tally for tally in report.generators}
    assert (tallies[good].whole, tallies[bad].whole, tallies[bad].missing) == (8, 0, 8)
    assert {(f.generator, f.cause) for f in report.failures} == {(bad, Cause.CRASH)}
    assert "ValueError: no font called Wingdings" in report.failures[0].detail
    assert report.run.rounds == 2


def test_dead_letters_are_filed_and_removed(factory) -> None:
    """Messages that were given up end in the bucket, not in the queue, where nobody would look."""
    name = factory.add_generator("T-dead", exit=3)
    factory.generate(name, dataset="dead", max_rounds=1)
    filed = [key for key, _ in sizes(factory.store, keys.dataset_file("dead", "dead-letters"))]
    assert len(filed) == 2
    assert depth(factory.sqs, factory.config.sqs_dlq_url).total == 0


def test_fewer_samples_than_asked_are_filled(factory) -> None:
    """What a short batch did make is kept, and only its missing sample is made anew."""
    name = "T-short"
    factory.add_generator(name, fewer=1, seeds=[planned_seed(name, 0)])
    report = factory.generate(name, dataset="short")
    sizes_of_runs = [run.key.indices for run in take_evidence(factory.store, [name]).runs(name)]
    assert report.complete
    assert IndexRange(3, 4) in sizes_of_runs


def test_a_hang_past_the_deadline_is_healed(factory) -> None:
    """A batch that hangs is ended before the Lambda is, and made under another seed."""
    name = "T-hang"
    factory.add_generator(name, hang=600, seeds=[planned_seed(name, 0)])
    # The generator gets (15 - 3) * 0.85 = 10 s of it.
    with factory.given(seconds=15):
        report = factory.generate(name, dataset="hang")
    causes = {failed.key.cause for failed in take_evidence(factory.store, [name]).failures(name)}
    assert report.complete
    assert causes == {Cause.DEADLINE}


def test_a_message_delivered_twice_changes_nothing(factory) -> None:
    """The same message sent three times leaves one set of samples."""
    name = factory.add_generator("T-twice")
    body = json.dumps({"type": name, "num_samples": 4, "seed": 1})
    for _ in range(3):
        factory.sqs.send_message(QueueUrl=factory.config.sqs_queue_url, MessageBody=body)
    until(lambda: depth(factory.sqs, factory.config.sqs_queue_url).total == 0)
    assert factory.inventory()[name].whole(IndexRange(0, 100)) == 4
    assert len(list(sizes(factory.store, f"questions/{name}"))) == 20


def test_a_malformed_message_stops_nobody(factory) -> None:
    """A message that can't be read is recorded with the reason and given up; the dataset beside it is complete."""
    name = factory.add_generator("T-beside")
    body = json.dumps({"type": name, "num_samples": "many"})
    sent = factory.sqs.send_message(QueueUrl=factory.config.sqs_queue_url, MessageBody=body)
    report = factory.generate(name, dataset="beside")
    assert report.complete
    assert keys.unreadable(sent["MessageId"]) in {key for key, _ in sizes(factory.store, keys.OWN)}
    until(lambda: depth(factory.sqs, factory.config.sqs_dlq_url).total == 1)
    factory.sqs.purge_queue(QueueUrl=factory.config.sqs_dlq_url)


def test_a_batch_of_sends_that_partly_fails_loses_nothing(factory, monkeypatch) -> None:
    """Entries that SQS refuses are sent again until each batch was sent exactly once."""
    name = factory.add_generator("T-refused")
    refusing = Refusing(factory.sqs)
    monkeypatch.setattr(aws, "sqs", lambda *_: refusing)
    report = factory.generate(name, dataset="refused", batch_size=1)
    assert refusing.refused > 0
    assert (report.complete, report.run.messages) == (True, 8)


def test_a_flow_killed_half_way_goes_on(factory, command_environment) -> None:
    """After SIGKILL the same command completes the dataset, sending only what the first had not sent."""
    name = factory.add_generator("T-killed", slow=0.5)
    command = [sys.executable, "-m", "flows", "--dataset", "killed", "-g", name, "-n", "24", "-b", "2"]
    first = subprocess.Popen(
        command, env=command_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    # The two probes make 4: with 6 all messages are sent.
    until(lambda: factory.inventory()[name].whole(IndexRange(0, 24)) >= 6)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = subprocess.run(command, env=command_environment(), capture_output=True, text=True, check=False)
    assert second.stdout.splitlines()[-1].startswith("RESULT expected=24 whole=24 torn=0 missing=0")
    assert second.stdout.splitlines()[-1].endswith("messages=0 other_seed=0 right=24")
    assert second.returncode == 0


def test_a_queue_that_nobody_drains_is_called_stalled(factory, caplog) -> None:
    """With the worker switched off the run ends incomplete soon, and goes on where it was when it is back."""
    name = factory.add_generator("T-stalled")
    factory.consume(enabled=False)
    try:
        report = factory.generate(name, dataset="stalled", stall_minutes=0.05)
    finally:
        factory.consume(enabled=True)
    assert (report.complete, report.total.missing) == (False, 8)
    assert "stalled" in caplog.text
    report = factory.generate(name, dataset="stalled")
    assert (report.complete, report.run.messages) == (True, 0)


class Refusing:
    """An SQS client whose every other SendMessageBatch refuses its odd entries."""

    def __init__(self, client) -> None:
        self._client = client
        self._calls = self.refused = 0

    def __getattr__(self, name: str):
        return getattr(self._client, name)

    def send_message_batch(self, QueueUrl: str, Entries: list[dict]) -> dict:  # noqa: N803 - boto3's names
        self._calls += 1
        odd = Entries[1::2] if self._calls % 2 else []
        taken = [entry for entry in Entries if entry not in odd]
        answer = self._client.send_message_batch(QueueUrl=QueueUrl, Entries=taken)
        self.refused += len(odd)
        failed = [{"Id": e["Id"], "Code": "InternalError", "SenderFault": False} for e in odd]
        return {**answer, "Failed": failed}


def until(true, seconds: float = 300) -> None:
    """Wait until `true()` holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.2)


def test_distinct_samples_are_made_under_other_seeds(factory) -> None:
    """Where they are required, a sample with the content of another one is made again; only it."""
    name = factory.add_generator("T-few", states=24)
    before = factory.generate(name, dataset="few")
    assert (before.complete, before.total.distinct.repeats) == (True, True)
    report = factory.generate(name, dataset="few", distinct="required", max_rounds=9)
    found = report.total
    assert (report.complete, found.distinct.distinct, found.right, found.copies) == (True, 8, 8, 0)
    assert report.run.samples == before.total.expected - before.total.distinct.distinct


def test_a_generator_without_more_samples_ends_the_run(factory) -> None:
    """With the count, and not for ever."""
    name = factory.add_generator("T-three", states=3)
    report = factory.generate(
        name, dataset="three", samples=60, batch_size=20, distinct="required", max_rounds=9
    )
    assert (report.complete, report.total.whole, report.total.copies) == (False, 60, 57)
    assert (report.run.rounds, report.run.messages) == (1, 3)
    assert "57 of 60 samples are copies of others" in report.headline


def test_code_that_changes_in_mid_run_loses_nothing_and_is_told(factory) -> None:
    """As when a new image is deployed while messages are in flight: every sample is there, and the report says what is mixed."""
    name = factory.add_generator("T-redeployed")
    factory.generate(name, dataset="redeployed", code="any")
    factory.add_generator(name, states=10**9)
    script = factory.generators / name / "examples" / "generate.py"
    script.write_text(script.read_text() + "\n# another version\n")
    report = factory.generate(name, dataset="redeployed", samples=12, code="any")
    assert (report.complete, report.total.whole, report.total.right) == (True, 12, 12)
    assert [one.samples for one in report.generators[0].codes] == [8, 4]
    (note,) = [line for line in report.notes_on_samples if "versions of its code" in line]
    assert note.startswith(f"{name}: its samples were made by 2 versions of its code: 8 by ")
