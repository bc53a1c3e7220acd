"""How long it takes to read the dead letter queue to its end."""

from types import SimpleNamespace
from typing import Any

import pytest

from vbvrdatafactory.core.config import Config
from vbvrdatafactory.driver.dead_letters import dead_letter_queue
from vbvrdatafactory.driver.services import Services


@pytest.mark.parametrize(
    ("endpoint", "seconds"), [("http://127.0.0.1:4566", 0), (None, 3)], ids=["emulator", "AWS"]
)
def test_an_emulator_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, endpoint: str | None, seconds: int
) -> None:
    """AWS's queue may hide a message from a receive, and is asked three times, each with a wait; an emulator's can't."""
    waited = 0

    def nothing(WaitTimeSeconds: int, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        nonlocal waited
        waited += WaitTimeSeconds
        return {}

    monkeypatch.setattr("vbvrdatafactory.aws.client", lambda *_: SimpleNamespace(receive_message=nothing))
    config = Config(sqs_dlq_url="https://sqs/dead", aws_endpoint_url=endpoint)
    assert dead_letter_queue(Services(config)).read() == []
    assert waited == seconds
