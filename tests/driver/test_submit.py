"""What is sent of a gap, and what is held back: on a queue and a bucket in memory."""

from types import SimpleNamespace
from typing import Any

import obstore
import pytest

from vbvrdatafactory.control.circuit_breaker import HANDFUL, PROBES
from vbvrdatafactory.control.dataset_lock import DatasetLockLost
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.core.ranges import IndexRange
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.driver.submit import Submitted, submit_gap, submit_gaps
from vbvrdatafactory.planning.gaps import Gap
from vbvrdatafactory.planning.plan import Plan, make_spec
from vbvrdatafactory.testing import InMemoryAws

G = "G-1_x"
PLAN = Plan(make_spec(dataset="d", generators=[G], samples=100, batch_size=10))
ALL = Gap(G, (IndexRange(0, 100),))


def run_of(plan: Plan = PLAN, open_guard: Any = lambda _: None, **otherwise: Any) -> SimpleNamespace:
    fields = {"output_bucket": None, "certified": {G}, "sends_probes_alone": False, **otherwise}
    return SimpleNamespace(plan=plan, guard=SimpleNamespace(wait_until_open=open_guard), **fields)


def submit(gap: Gap = ALL, proven: frozenset[str] = frozenset(), **run: Any) -> Submitted:
    return submit_gap(Services(config), run_of(**run), gap, proven)


def certifying(cloud: InMemoryAws) -> list[int]:
    return sorted(message.start_index for message in cloud.messages() if message.certify)


def starts(cloud: InMemoryAws) -> list[int]:
    return sorted(message.start_index for message in cloud.messages())


def note(cloud: InMemoryAws, key: str) -> None:
    obstore.put(cloud.store, key, b"{}")


def failed(salt: int, cause: Cause = Cause.CRASH) -> str:
    return keys.failure(keys.FailureKey(G, IndexRange(0, 10), salt, 1, cause))


# Of samples that are not missing: it proves the generator, and replays nothing.
RECEIPT = keys.receipt(keys.ReceiptKey(G, IndexRange(200, 210), 0))


def test_of_a_generator_that_proved_nothing_probes_are_sent_and_the_rest_is_held_back(
    cloud: InMemoryAws,
) -> None:
    """Two batches of ten; what is held back is what they do not make, no more and no less."""
    assert submit() == Submitted(PROBES, Gap(G, (IndexRange(20, 100),)))
    assert starts(cloud) == [0, 10]


def test_of_holes_just_what_is_sent_is_taken_from_the_rest(cloud: InMemoryAws) -> None:
    """A message that stores three of its ten indices leaves the other gaps held back as they are."""
    gap = Gap(G, tuple(IndexRange(start, start + 3) for start in range(2, 62, 10)))
    assert submit(gap) == Submitted(PROBES, Gap(G, gap.ranges[PROBES:]))
    assert [message.only_indices for message in cloud.messages()] == [(2, 3, 4), (12, 13, 14)]


def test_a_generator_without_certificate_is_certified_by_its_probes(cloud: InMemoryAws) -> None:
    """Though its latest batch was made: what it takes nobody knows. With a certificate nothing is certified again."""
    note(cloud, RECEIPT)
    assert submit(certified=set()) == Submitted(PROBES, Gap(G, (IndexRange(20, 100),)))
    assert certifying(cloud) == starts(cloud) == [0, 10]
    cloud.sqs.purge_queue(QueueUrl=cloud.queue_url)
    assert submit().messages == 10
    assert certifying(cloud) == []


def test_the_first_of_a_handful_certify(cloud: InMemoryAws) -> None:
    """They are sent with the others, and tell what the next ones will take."""
    submit(Gap(G, (IndexRange(0, 10 * HANDFUL),)), certified=set())
    assert (certifying(cloud), starts(cloud)) == ([0, 10], [0, 10, 20, 30])


def test_where_nothing_may_be_spent_yet_probes_go_alone(cloud: InMemoryAws) -> None:
    """Of a handful, too, just so many as certify."""
    gap = Gap(G, (IndexRange(0, 10 * HANDFUL),))
    assert submit(gap, certified=set(), sends_probes_alone=True) == Submitted(
        PROBES, Gap(G, (IndexRange(20, 40),))
    )


def test_what_follows_proven_probes_certifies_nothing(cloud: InMemoryAws) -> None:
    """Also where they left no certificate, as an older worker's."""
    assert submit(proven=frozenset({G}), certified=set()).messages == 10
    assert certifying(cloud) == []


def test_a_handful_is_sent_whole(cloud: InMemoryAws) -> None:
    """So few are not worth waiting for; nothing is held back."""
    assert submit(Gap(G, (IndexRange(0, 10 * HANDFUL),))) == Submitted(HANDFUL, None)
    assert starts(cloud) == [0, 10, 20, 30]


def test_one_more_than_a_handful_is_probed(cloud: InMemoryAws) -> None:
    """From there on the outcome of the probes is waited for."""
    assert submit(Gap(G, (IndexRange(0, 10 * HANDFUL + 1),))).held_back == Gap(G, (IndexRange(20, 41),))
    assert starts(cloud) == [0, 10]


@pytest.mark.parametrize("how", ["in this run", "by its receipt"])
def test_a_proven_generator_gets_everything_at_once(cloud: InMemoryAws, how: str) -> None:
    """Whether this run saw it, or the latest record in the bucket is a receipt."""
    if how == "by its receipt":
        note(cloud, RECEIPT)
    assert submit(proven=frozenset({G} if how == "in this run" else ())) == Submitted(10, None)
    assert starts(cloud) == list(range(0, 100, 10))


def test_what_another_generator_proved_does_not_count(cloud: InMemoryAws) -> None:
    """Each is proven by itself."""
    assert submit(proven=frozenset({"another"})).messages == PROBES


def test_a_broken_generator_is_asked_by_one_message(cloud: InMemoryAws) -> None:
    """Its records say that it would be given up; one message finds out whether it was mended."""
    note(cloud, failed(0, Cause.MISSING_DEPENDENCY))
    sent = submit()
    assert (sent.messages, sent.held_back) == (1, Gap(G, (IndexRange(10, 100),)))


def test_nothing_is_sent_before_the_guard_is_open(cloud: InMemoryAws) -> None:
    """The send guard is waited for before the first message, once."""
    seen = []
    submit(open_guard=lambda _: seen.append(cloud.messages()))
    assert seen == [[]]
    assert starts(cloud) == [0, 10]


def test_a_run_that_lost_its_dataset_sends_nothing(cloud: InMemoryAws) -> None:
    """The send guard raises, and the queue stays as it was."""

    def lost(_: object) -> None:
        raise DatasetLockLost("taken over")

    with pytest.raises(DatasetLockLost):
        submit(open_guard=lost)
    assert cloud.messages() == []


def test_messages_that_could_not_be_sent_fail_the_submission(cloud: InMemoryAws, monkeypatch) -> None:
    """The first is named with the reason; those that were taken stay."""
    monkeypatch.setattr("vbvrdatafactory.sqs.submitter.time.sleep", lambda _: None)
    cloud.sqs.refuse(1000, "InternalError")
    with pytest.raises(DataFactoryError, match=r"2 of 2 messages .* G-1_x 0-9: InternalError"):
        submit()
    assert cloud.messages() == []


def test_several_generators_go_in_one_stream_each_with_its_own_probes(cloud: InMemoryAws) -> None:
    """What each was sent and what is held back of it is told in the order of the gaps; a bucket goes to the worker."""
    plan = Plan(make_spec(dataset="d", generators=[G, "G-2_y"], samples=100, batch_size=10))
    run = run_of(plan, output_bucket="elsewhere")
    sent: list[int] = []
    gaps = [Gap("G-2_y", (IndexRange(0, 100),)), ALL]
    done = submit_gaps(Services(config), run, gaps, {G}, on_sent=lambda ok, _: sent.append(ok))
    assert done == [Submitted(PROBES, Gap("G-2_y", (IndexRange(20, 100),))), Submitted(10, None)]
    assert sum(sent) == PROBES + 10
    assert {message.output_bucket for message in cloud.messages()} == {"elsewhere"}


def test_a_record_that_cannot_be_read_stops_its_generator_alone(cloud: InMemoryAws) -> None:
    """What it would decide is not decided without it: nothing is sent, the reason is told, and the others go on."""
    plan = Plan(make_spec(dataset="d", generators=[G, "G-2_y"], samples=20, batch_size=10))
    run = run_of(plan)
    key = keys.receipt(keys.ReceiptKey(G, IndexRange(0, 10), 0))
    note(cloud, key)
    first, second = submit_gaps(
        Services(config), run, [Gap(name, (IndexRange(0, 20),)) for name in (G, "G-2_y")]
    )
    assert first.problem.startswith(key)
    assert (first.messages, second) == (0, Submitted(2))
    assert {message.type for message in cloud.messages()} == {"G-2_y"}
