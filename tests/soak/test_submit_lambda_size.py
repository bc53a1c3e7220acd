"""The submit Lambda at the size of the whole fleet: 300 generators, 10,000 samples of each, 120,000 messages.

Its code is the deployed one; queue and bucket are in memory, and time is the clock's.
"""

import json
import resource
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vbvrdatafactory.core.config import config
from vbvrdatafactory.submit_lambda.handler import handler
from vbvrdatafactory.testing import InMemoryAws, in_memory_aws

pytestmark = pytest.mark.soak

GENERATORS, SAMPLES, BATCH = 300, 10_000, 25
MESSAGES = GENERATORS * SAMPLES // BATCH
# As infra/stack.py deploys the function.
LIMIT_SECONDS, MEMORY_MB = 900, 1769
# What a SendMessageBatch takes within a region, and more.
CALL_SECONDS = 0.02


class Invocation:
    """An invocation that Lambda would end after so many seconds."""

    invoked_function_arn = "arn:aws:lambda:us-east-2:0:function:submit"

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * (self._end - time.monotonic()))


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryAws]:
    """An AWS in memory whose calls to SQS take their time, and an image with every generator."""
    for number in range(GENERATORS):
        (tmp_path / f"G-{number}_data-generator" / "examples").mkdir(parents=True)
        (tmp_path / f"G-{number}_data-generator" / "examples" / "generate.py").touch()
    with in_memory_aws() as made:
        send = made.sqs.send_message_batch

        def slowly(**asked: Any) -> Any:
            time.sleep(CALL_SECONDS)
            return send(**asked)

        monkeypatch.setattr(made.sqs, "send_message_batch", slowly)
        with config.replaced_by(made.config.but(generators_path=tmp_path)):
            yield made


def submit(seconds: float, **event: Any) -> dict[str, Any]:
    """One invocation; its answer as Lambda returns it. It ends before Lambda would end it."""
    invocation = Invocation(seconds)
    answer = handler({"samples": SAMPLES, "batch_size": BATCH, **event}, invocation)
    assert invocation.get_remaining_time_in_millis() > 0
    return dict(json.loads(json.dumps(answer)))


def sent(cloud: InMemoryAws) -> Counter[tuple[str, int]]:
    return Counter((message.type, message.start_index) for message in cloud.messages())


def test_all_is_sent_in_one_invocation(cloud: InMemoryAws) -> None:
    """120,000 messages, each once, in a fraction of the function's time and memory."""
    started = time.monotonic()
    answer = submit(LIMIT_SECONDS)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{answer['messages_sent']:,} messages in {seconds:.1f} s, {peak:.0f} MB at the most")
    assert (answer["generators"], answer["messages_sent"], answer["cursor"]) == (GENERATORS, MESSAGES, None)
    found = sent(cloud)
    assert (len(found), set(found.values())) == (MESSAGES, {1})
    assert seconds < LIMIT_SECONDS / 2
    assert peak < MEMORY_MB


def test_what_is_cut_off_goes_on_from_the_cursor(cloud: InMemoryAws) -> None:
    """With a limit that is too short for all, as many invocations as it takes send each message once."""
    cursor, turns, started = None, 0, time.monotonic()
    total = 0
    while turns < 100:
        answer = submit(28, cursor=cursor)
        cursor, turns, total = answer["cursor"], turns + 1, total + answer["messages_sent"]
        if cursor is None:
            break
        assert answer["messages_sent"] > 0, "an invocation that sends nothing would go on for ever"
    print(f"\n{total:,} messages in {turns} invocations, {time.monotonic() - started:.1f} s")
    assert (total, cursor) == (MESSAGES, None)
    assert turns > 1
    found = sent(cloud)
    assert (len(found), set(found.values())) == (MESSAGES, {1})
