"""The submit Lambda looks first, sends only what is missing, and answers with counts."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
import pytest

from tests.recorded import put_recorded
from vbvrdatafactory import aws
from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.errors import DataFactoryError, SpecError
from vbvrdatafactory.driver.guard import lock_dataset
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.s3.pause import write_pause
from vbvrdatafactory.s3.specs import read_spec
from vbvrdatafactory.submit_lambda.handler import handler
from vbvrdatafactory.testing import InMemoryAws

NAMES = ("G-1_maze", "O-1_first", "O-2_second")
Submit = Callable[..., dict[str, Any]]


class Invocation:
    """An invocation with so much time left; each look at the clock takes some."""

    invoked_function_arn = "arn:aws:lambda:us-east-2:0:function:submit"

    def __init__(self, seconds: float = 900, step: float = 0) -> None:
        self.seconds, self._step = seconds, step

    def get_remaining_time_in_millis(self) -> int:
        self.seconds -= self._step
        return int(1000 * self.seconds)


@pytest.fixture
def submit(cloud: InMemoryAws, tmp_path: Path) -> Submit:
    """Invokes the function on AWS in memory, with three generators in its image."""
    for name in NAMES:
        (tmp_path / name / "examples").mkdir(parents=True)
        (tmp_path / name / "examples" / "generate.py").touch()
    before = config.answering

    def invoke(invocation: Invocation | None = None, **event: Any) -> dict[str, Any]:
        with config.replaced_by(before.but(generators_path=tmp_path)):
            answer = handler(event, invocation or Invocation())
        return dict(json.loads(json.dumps(answer)))

    return invoke


def make(cloud: InMemoryAws, generator: str, count: int) -> None:
    put_recorded(cloud.store, generator, range(count))


def test_every_generator_of_the_image(submit: Submit, cloud: InMemoryAws) -> None:
    """`{"samples": …}` alone asks for every generator; the answer counts, the spec is filed, the lock released."""
    answer = submit(samples=50)
    assert (answer["generators"], answer["samples"], answer["whole"]) == (3, 150, 0)
    assert (answer["messages_sent"], answer["cursor"], len(cloud.messages())) == (6, None, 6)
    assert read_spec(cloud.store, "dataset").generators == NAMES
    assert submit(samples=50, dry_run=True)["messages_to_send"] == 6


def test_only_what_is_missing_is_sent(submit: Submit, cloud: InMemoryAws) -> None:
    """What is whole in the bucket is not made again; globs choose; a dry run writes and sends nothing."""
    make(cloud, "O-1_first", 25)
    dry = submit(generators=["O-*"], samples=50, dataset="d", dry_run=True)
    assert (dry["whole"], dry["messages_to_send"], len(cloud.messages())) == (25, 3, 0)
    assert not [key for batch in obstore.list(cloud.store, prefix="_datafactory/datasets") for key in batch]
    assert submit(generators="O-*", samples=50, dataset="d")["messages_sent"] == 3
    assert {message.type for message in cloud.messages()} == {"O-1_first", "O-2_second"}


def test_too_short_a_time_has_a_cursor(submit: Submit, cloud: InMemoryAws) -> None:
    """What could not be sent in time is sent from the cursor on: every message once, however often it is cut."""
    wanted = {"samples": 40, "batch_size": 1}
    answer = submit(Invocation(seconds=70, step=1), **wanted)
    turns = 1
    while answer["cursor"]:
        assert not answer["goes_on"]
        answer = submit(Invocation(seconds=70, step=1), **wanted, cursor=answer["cursor"])
        turns += 1
    sent = [(message.type, message.start_index) for message in cloud.messages()]
    assert turns > 2
    assert len(sent) == len(set(sent)) == 120


def test_it_goes_on_by_itself(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to, it invokes itself for the rest, with the same request and the cursor."""
    invoked: list[dict[str, Any]] = []

    class Functions:
        def invoke(self, **asked: Any) -> None:
            invoked.append(asked)

    real = aws.client
    monkeypatch.setattr(aws, "client", lambda *asked: Functions() if "lambda" in asked else real(*asked))
    answer = submit(Invocation(seconds=40, step=1), samples=40, batch_size=1, go_on=True)
    assert answer["goes_on"]
    (asked,) = invoked
    assert (asked["InvocationType"], asked["FunctionName"]) == ("Event", Invocation.invoked_function_arn)
    assert json.loads(asked["Payload"]) == {
        "samples": 40,
        "batch_size": 1,
        "go_on": True,
        "cursor": answer["cursor"],
    }


def test_what_sends_nothing_does_not_go_on(submit: Submit, cloud: InMemoryAws, monkeypatch) -> None:
    """Where looking takes all the time, it would invoke itself for ever: the answer says so instead."""
    real = aws.client
    monkeypatch.setattr(aws, "client", lambda *asked: None if "lambda" in asked else real(*asked))
    answer = submit(Invocation(seconds=10), samples=40, batch_size=1, go_on=True)
    assert (answer["messages_sent"], answer["goes_on"], cloud.messages()) == (0, False, [])
    assert answer["cursor"] == {"generator": "G-1_maze", "start_index": 0}
    assert "took all of the function's time" in answer["problems"][0]


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({"sampels": 5}, "no field 'sampels'; did you mean 'samples'"),
        ({"samples": "5"}, "samples='5'"),
        ({"samples": True}, "samples='True'"),
        ({"samples": 0}, "samples='0'"),
        ({"samples": 10**9}, "samples='1000000000'"),
        ({"samples": float("nan")}, "samples='nan'"),
        ({"samples": 5, "batch_size": 1001}, "batch_size"),
        ({"samples": 5, "dataset": "../x"}, "is not a safe name"),
        ({"samples": 5, "output_format": "zip"}, "output_format='zip'"),
        ({"samples": 5, "generators": []}, "generators"),
        ({"samples": 5, "generators": ["O-1_frist"]}, "O-1_first"),
        ({"samples": 5, "require": ["x.png"]}, "no sample has a file 'x.png'"),
        ({"samples": 5, "cursor": {"generator": "../x", "start_index": 0}}, "not a safe name"),
    ],
)
def test_nonsense_is_refused(submit: Submit, cloud: InMemoryAws, event: dict[str, Any], says: str) -> None:
    """Each with the field, the value or the near name, and nothing is sent or written."""
    with pytest.raises(SpecError) as refused:
        submit(**event)
    assert says in str(refused.value)
    assert cloud.messages() == []
    assert not [key for batch in obstore.list(cloud.store) for key in batch]


def test_a_busy_or_paused_dataset_is_refused(submit: Submit, cloud: InMemoryAws) -> None:
    """While a run makes it, or somebody paused it, nothing is sent."""
    services = Services(cloud.config)
    with lock_dataset(services, "d", RunPolicy()), pytest.raises(DataFactoryError, match="is being made by"):
        submit(samples=5, dataset="d")
    write_pause(cloud.store, "d", PauseState(paused=True, reason="lunch", at=datetime.now(UTC)))
    with pytest.raises(DataFactoryError, match="lunch"):
        submit(samples=5, dataset="d")
    assert cloud.messages() == []


def test_another_dataset_under_the_name_is_refused(submit: Submit, cloud: InMemoryAws) -> None:
    """Another seed under one name is refused, unless the spec is to be replaced."""
    submit(samples=5, dataset="d")
    with pytest.raises(DataFactoryError, match="seed: 42 → 7"):
        submit(samples=5, dataset="d", seed=7)
    assert submit(samples=5, dataset="d", seed=7, replace_spec=True)["messages_sent"] == 3


def test_many_messages_are_sent_in_one_invocation(submit: Submit, cloud: InMemoryAws) -> None:
    """Twelve thousand messages of three generators, each once."""
    assert submit(samples=4000, batch_size=1)["messages_sent"] == 12_000
    assert len({(message.type, message.start_index) for message in cloud.messages()}) == 12_000
