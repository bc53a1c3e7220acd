"""The submit function on the embedded AWS: invoked as a user would, without a clone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import paths
from infra.addresses import EmbeddedInfo
from infra.local import EmbeddedAws
from tests.infra.conftest import client

pytestmark = pytest.mark.aws


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedInfo]:
    """An embedded AWS with the real functions, whose queue nobody receives from."""
    here = EmbeddedAws(tmp_path_factory.mktemp("state"), paths.GENERATORS)
    with here.running() as info:
        client(info, "lambda").update_event_source_mapping(UUID=info.event_source_mapping_id, Enabled=False)
        yield info


def submit(info: EmbeddedInfo, **event: Any) -> dict[str, Any]:
    answer = client(info, "lambda").invoke(
        FunctionName="VBVRDataFactoryPipelineStack-submit-tasks", Payload=json.dumps(event).encode()
    )
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    return found


def test_a_dataset_is_asked_for(info: EmbeddedInfo) -> None:
    """The answer counts what was sent, and it is in the queue."""
    dry = submit(info, samples=8, batch_size=4, generators=["V-*"], dataset="bylambda", dry_run=True)
    assert (dry["generators"], dry["messages_to_send"]) == (3, 6), dry
    sent = submit(info, samples=8, batch_size=4, generators=["V-*"], dataset="bylambda")
    assert (sent["messages_sent"], sent["cursor"]) == (6, None), sent
    counts = client(info, "sqs").get_queue_attributes(
        QueueUrl=info.queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert counts["Attributes"]["ApproximateNumberOfMessages"] == "6"


def test_nonsense_is_answered_with_the_near_name(info: EmbeddedInfo) -> None:
    """The error of the invocation is the sentence that helps."""
    answer = submit(info, sampels=5)
    assert answer["errorMessage"] == "there is no field 'sampels'; did you mean 'samples'?"


def test_both_functions_are_one_artifact(full: dict[str, dict[str, Any]]) -> None:
    """The submit function is the worker's image, or zip file, with another command."""
    for kind in ("image", "zip"):
        functions = [
            one["Properties"]
            for one in full[kind]["Resources"].values()
            if one["Type"] == "AWS::Lambda::Function"
        ]
        assert len(functions) == 2
        assert functions[0]["Code"] == functions[1]["Code"]
    commands = [
        one["Properties"]["ImageConfig"]["Command"]
        for one in full["image"]["Resources"].values()
        if one["Type"] == "AWS::Lambda::Function"
    ]
    assert sorted(commands) == [
        ["lambda_worker.handler.handler"],
        ["vbvrdatafactory.submit_lambda.handler.handler"],
    ]
    assert Path("lambda_worker/handler.py").is_file()
    assert Path("vbvrdatafactory/submit_lambda/handler.py").is_file()
