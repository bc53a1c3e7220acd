"""A stop of the embedded AWS takes its workers with it; what they had is received again at once."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.addresses import EmbeddedInfo
from infra.embedded.queues import give_back
from infra.local import EmbeddedAws
from vbvrdatafactory import aws

NOW = 1000.0


def message(**other: Any) -> dict[str, Any]:
    received = {"receipt_handle": "r1", "visible_at": NOW + 600, "receive_count": 2, "first_receive_at": 1.0}
    return {**received, **other}


def test_what_a_worker_had_is_visible_again_and_not_counted() -> None:
    """The receive that came to nothing is taken back, so that no number of stops gives a message up."""
    had = message(datafactory_with_worker="r1")
    assert give_back([had], NOW) == 1
    assert had == {"receipt_handle": None, "visible_at": NOW, "receive_count": 1, "first_receive_at": 1.0}


def test_a_first_receive_leaves_no_trace() -> None:
    """A message that was received once is as if it had not been."""
    had = message(datafactory_with_worker="r1", receive_count=1)
    give_back([had], NOW)
    assert (had["receive_count"], had["first_receive_at"]) == (0, None)


@pytest.mark.parametrize(
    "other",
    [
        message(),
        message(datafactory_with_worker="r0"),
        message(receipt_handle=None, receive_count=0),
    ],
    ids=["another process's", "another process's by now", "nobody's"],
)
def test_what_no_worker_had_stays_as_it_is(other: dict[str, Any]) -> None:
    """A pull worker's message is still being made, and one that waits for its time goes on waiting."""
    before = {name: value for name, value in other.items() if name != "datafactory_with_worker"}
    assert give_back([other], NOW) == 0
    assert other == before


@pytest.fixture
def slow(tmp_path: Path, state_dir: Path, stub: Path) -> Any:
    """An embedded AWS whose worker takes its time until a file says that it need not."""
    handler = stub / "handler.py"
    handler.write_text(
        handler.read_text().replace(
            'body = json.dumps({**os.environ, "VERSION": "1"})',
            'body = json.dumps({"count": record["attributes"]["ApproximateReceiveCount"]})\n'
            '        boto3.client("s3").put_object('
            'Bucket=os.environ["OUTPUT_BUCKET"], Key="began", Body=body)\n'
            "        import time\n"
            f"        while not os.path.exists({str(tmp_path / 'quick')!r}): time.sleep(0.1)",
        )
    )
    one = EmbeddedAws(state_dir, tmp_path, worker_packages=[stub], concurrency=2)
    yield one
    one.down()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def has(info: EmbeddedInfo, key: str) -> bool:
    return bool(aws.s3(info.config).list_objects_v2(Bucket=info.bucket, Prefix=key)["KeyCount"])


@pytest.mark.aws
def test_stops_do_not_cost_a_message(slow: EmbeddedAws, tmp_path: Path) -> None:
    """After more stops in mid-batch than a message may be received, it is made at once and not given up."""
    info = slow.up()
    body = json.dumps({"key": "made"})
    aws.sqs(info.config).send_message(QueueUrl=info.queue_url, MessageBody=body)
    for _ in range(4):
        wait_for(lambda: has(info, "began"))  # noqa: B023 - called at once
        aws.s3(info.config).delete_object(Bucket=info.bucket, Key="began")
        slow.down()
        info = slow.up()
    (tmp_path / "quick").touch()
    wait_for(lambda: has(info, "made"))
    content = aws.s3(info.config).get_object(Bucket=info.bucket, Key="made")["Body"].read()
    assert json.loads(content) == {"count": "1"}
