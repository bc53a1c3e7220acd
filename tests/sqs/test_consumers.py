"""Why nobody takes messages, and the switch that lets the mappings take them."""

import io
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.sqs.consumers import diagnose_consumers, set_consuming


class Pipeline(NamedTuple):
    """A queue, a function and the mapping between them."""

    sqs: Any
    functions: Any
    url: str
    mapping: str

    def diagnose(self) -> Any:
        return diagnose_consumers(self.sqs, self.functions, self.url)


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    """A whole pipeline of our own."""
    with mock_aws():
        sqs, functions, iam = (
            boto3.client(name, region_name="us-east-2") for name in ("sqs", "lambda", "iam")
        )
        role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("worker.py", "")
        made = {"Runtime": "python3.11", "Role": role, "Handler": "worker.run"}
        functions.create_function(FunctionName="worker", Code={"ZipFile": code.getvalue()}, **made)
        url = sqs.create_queue(QueueName="tasks")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        mapping = functions.create_event_source_mapping(
            EventSourceArn=arn, FunctionName="worker", BatchSize=1
        )
        yield Pipeline(sqs, functions, url, mapping["UUID"])


def test_a_healthy_pipeline_consumes(pipeline: Pipeline) -> None:
    """Mapping enabled, function active: the next move is its log."""
    found = pipeline.diagnose()
    assert found.consuming is True
    assert "aws logs tail /aws/lambda/worker --since 15m --region us-east-2" in found.next_move


def test_a_disabled_mapping_is_named_with_the_command_that_enables_it(pipeline: Pipeline) -> None:
    """The next move holds the mapping's own id."""
    pipeline.functions.update_event_source_mapping(UUID=pipeline.mapping, Enabled=False)
    found = pipeline.diagnose()
    assert found.consuming is False
    assert "the event source mapping of worker is disabled" in found.reason
    assert f"aws lambda update-event-source-mapping --uuid {pipeline.mapping} --enabled" in found.next_move


def test_a_queue_without_a_mapping_has_no_consumer_that_aws_knows(pipeline: Pipeline) -> None:
    """A person's worker is offered as another consumer."""
    pipeline.functions.delete_event_source_mapping(UUID=pipeline.mapping)
    found = pipeline.diagnose()
    assert (found.consuming, "no event source mapping" in found.reason) == (False, True)
    assert "datafactory worker" in found.next_move


def test_a_missing_function_is_not_called_healthy(pipeline: Pipeline) -> None:
    """The mapping may be enabled; nobody is behind it."""
    pipeline.functions.delete_function(FunctionName="worker")
    found = pipeline.diagnose()
    assert (found.consuming, found.reason) == (False, "the function worker does not exist")


def test_a_throttled_function_is_told_how_to_run_again(pipeline: Pipeline) -> None:
    """Reserved concurrency 0 means never."""
    pipeline.functions.put_function_concurrency(FunctionName="worker", ReservedConcurrentExecutions=0)
    found = pipeline.diagnose()
    assert (found.consuming, "reserved concurrency is 0" in found.reason) == (False, True)
    assert "aws lambda delete-function-concurrency --function-name worker" in found.next_move


def test_a_failed_function_says_why(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS keeps the reason with the function's state."""
    failed = {"State": "Failed", "StateReason": "the image is gone"}
    monkeypatch.setattr(pipeline.functions, "get_function_configuration", lambda **_: failed)
    found = pipeline.diagnose()
    assert (found.consuming, found.reason) == (False, "the function worker is failed: the image is gone")


def test_one_that_consumes_is_enough(pipeline: Pipeline) -> None:
    """With a disabled mapping beside an enabled one, messages are taken."""
    pipeline.functions.update_event_source_mapping(UUID=pipeline.mapping, Enabled=False)
    answer = pipeline.sqs.get_queue_attributes(QueueUrl=pipeline.url, AttributeNames=["QueueArn"])
    arn = answer["Attributes"]["QueueArn"]
    pipeline.functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="worker", BatchSize=2)
    assert pipeline.diagnose().consuming is True


def test_a_queue_that_is_not_there_is_said_to_be_so(pipeline: Pipeline) -> None:
    """A wrong address is the reason, not an error."""
    found = diagnose_consumers(pipeline.sqs, pipeline.functions, f"{pipeline.url}-else")
    assert (found.consuming, found.reason) == (False, "the queue does not exist")


@pytest.mark.parametrize(
    ("operation", "permission"),
    [
        ("ListEventSourceMappings", "lambda:ListEventSourceMappings"),
        ("GetQueueAttributes", "sqs:GetQueueAttributes"),
        ("GetFunctionConcurrency", "lambda:GetFunctionConcurrency"),
    ],
)
def test_a_missing_permission_is_named_and_proves_nothing(
    pipeline: Pipeline, operation: str, permission: str
) -> None:
    """Whoever may not look does not know whether anybody consumes."""

    def deny(model: Any, **_: object) -> None:
        if model.name == operation:
            error = {"Code": "AccessDeniedException", "Message": "no"}
            raise ClientError({"Error": error}, operation)  # type: ignore[typeddict-item]

    for client in (pipeline.sqs, pipeline.functions):
        client.meta.events.register("before-call", deny)
    found = pipeline.diagnose()
    assert found.consuming is None
    assert permission in found.reason
    assert permission in found.next_move


def test_an_endpoint_that_does_not_answer_proves_nothing() -> None:
    """The network is a reason of its own."""
    nowhere, once = "http://127.0.0.1:9", Config(retries={"total_max_attempts": 1})
    options = {"region_name": "us-east-2", "endpoint_url": nowhere, "config": once}
    clients = [boto3.client(name, **options) for name in ("sqs", "lambda")]  # type: ignore[call-overload]
    found = diagnose_consumers(*clients, f"{nowhere}/000000000000/tasks")
    assert (found.consuming, "does not respond" in found.reason) == (None, True)


def test_consuming_is_switched_off_and_on_again(pipeline: Pipeline) -> None:
    """As often as one likes; it says how many mappings there are."""

    def state() -> str:
        return str(pipeline.functions.get_event_source_mapping(UUID=pipeline.mapping)["State"])

    for enabled, wanted in ((False, "Disabled"), (False, "Disabled"), (True, "Enabled"), (True, "Enabled")):
        assert set_consuming(pipeline.sqs, pipeline.functions, pipeline.url, enabled) == 1
        assert state() == wanted


def test_a_switch_that_is_not_allowed_names_the_permission(pipeline: Pipeline) -> None:
    """A pause that did not happen must not look like one; what is as asked already needs no permission."""

    def deny(**_: object) -> None:
        error = {"Code": "AccessDeniedException", "Message": "no"}
        raise ClientError({"Error": error}, "UpdateEventSourceMapping")  # type: ignore[typeddict-item]

    pipeline.functions.meta.events.register("before-call.lambda.UpdateEventSourceMapping", deny)
    with pytest.raises(DataFactoryError, match="lambda:UpdateEventSourceMapping is missing"):
        set_consuming(pipeline.sqs, pipeline.functions, pipeline.url, enabled=False)
    assert set_consuming(pipeline.sqs, pipeline.functions, pipeline.url, enabled=True) == 1
