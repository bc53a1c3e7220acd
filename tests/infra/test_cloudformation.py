import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import cloudformation as module
from infra import server
from infra.settings import STACK_ID
from infra.state import StateFolder
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import DataFactoryError

pytestmark = pytest.mark.aws


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """A bare server: no stack yet."""
    state = StateFolder(tmp_path_factory.mktemp("bare"))
    record = server.start(state, temporary=False)
    yield Config(aws_endpoint_url=server.endpoint(record.port), aws_region="us-east-2")
    server.stop(state, record)


@pytest.fixture
def cloudformation(config: Config) -> Iterator[Any]:
    client = aws.client(config, "cloudformation")
    yield client
    client.delete_stack(StackName=STACK_ID)


def template(**queues: dict[str, Any]) -> str:
    """A template with a parameter, a bucket that stays, and some queues."""
    bucket = {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "Properties": {"BucketName": "kept"},
    }
    resources = {name: {"Type": "AWS::SQS::Queue", "Properties": one} for name, one in queues.items()}
    return json.dumps(
        {
            "Parameters": {"Word": {"Type": "String"}},
            "Resources": {"Bucket": bucket, **resources},
            "Outputs": {"Said": {"Value": {"Ref": "Word"}}},
        }
    )


def events(cloudformation: Any) -> int:
    return len(cloudformation.describe_stack_events(StackName=STACK_ID)["StackEvents"])


def test_create(cloudformation: Any) -> None:
    """What is not there is created; its outputs come back."""
    stack = module.deploy(cloudformation, template(A={}), {"Word": "one"})
    assert (stack.status, stack.outputs) == ("CREATE_COMPLETE", {"Said": "one"})


def test_the_same_again_does_nothing(cloudformation: Any) -> None:
    """Deploying what is there asks for no change."""
    first = module.deploy(cloudformation, template(A={}), {"Word": "one"})
    before = events(cloudformation)
    assert module.deploy(cloudformation, template(A={}), {"Word": "one"}) == first
    assert events(cloudformation) == before


def test_update(cloudformation: Any) -> None:
    """A changed parameter or a changed template updates the stack."""
    module.deploy(cloudformation, template(A={}), {"Word": "one"})
    assert module.deploy(cloudformation, template(A={}), {"Word": "two"}).outputs == {"Said": "two"}
    module.deploy(cloudformation, template(A={}, B={}), {"Word": "two"})
    resources = cloudformation.list_stack_resources(StackName=STACK_ID)["StackResourceSummaries"]
    assert {one["LogicalResourceId"] for one in resources} == {"Bucket", "A", "B"}


def test_a_new_description_is_no_change(cloudformation: Any) -> None:
    """A template that differs in nothing that is deployed passes."""
    first = module.deploy(cloudformation, template(), {"Word": "one"})
    described = template().replace("{", '{"Description": "Words", ', 1)
    assert module.deploy(cloudformation, described, {"Word": "one"}).outputs == first.outputs


def test_a_bucket_that_is_there_is_adopted(cloudformation: Any, config: Config) -> None:
    """A new stack takes in the bucket an earlier one left, with what is in it."""
    module.deploy(cloudformation, template(), {"Word": "one"})
    s3 = aws.s3(config)
    s3.put_object(Bucket="kept", Key="sample", Body=b"")
    cloudformation.delete_stack(StackName=STACK_ID)
    assert module.deploy(cloudformation, template(), {"Word": "one"}).status == "CREATE_COMPLETE"
    assert s3.list_objects_v2(Bucket="kept")["KeyCount"] == 1


def test_a_failed_creation_names_the_resource(cloudformation: Any) -> None:
    """The error has the resource that failed and its reason, not only that something did."""
    with pytest.raises(DataFactoryError, match=r"A: .*VisibilityTimeout") as raised:
        module.deploy(cloudformation, template(A={"VisibilityTimeout": -1}), {"Word": "one"})
    assert STACK_ID in str(raised.value)


def test_a_failed_creation_is_made_good(cloudformation: Any) -> None:
    """A stack whose creation failed is replaced by the next deployment."""
    with pytest.raises(DataFactoryError):
        module.deploy(cloudformation, template(A={"VisibilityTimeout": -1}), {"Word": "one"})
    assert module.deploy(cloudformation, template(A={}), {"Word": "one"}).status == "CREATE_COMPLETE"


def test_a_failed_update_is_made_good(cloudformation: Any) -> None:
    """A stack whose update failed keeps working and takes the next update."""
    module.deploy(cloudformation, template(A={}), {"Word": "one"})
    with pytest.raises(DataFactoryError, match="VisibilityTimeout"):
        module.deploy(cloudformation, template(A={"VisibilityTimeout": -1}), {"Word": "one"})
    assert module.deploy(cloudformation, template(A={}), {"Word": "two"}).outputs == {"Said": "two"}


def test_an_older_failure_is_not_told_again(cloudformation: Any) -> None:
    """The reason given is that of the last attempt, not of one before it."""
    module.deploy(cloudformation, template(), {"Word": "one"})
    with pytest.raises(DataFactoryError, match="A: "):
        module.deploy(cloudformation, template(A={"VisibilityTimeout": -1}), {"Word": "one"})
    with pytest.raises(DataFactoryError, match="B: "):
        module.deploy(cloudformation, template(B={"DelaySeconds": -1}), {"Word": "one"})


def test_a_refused_change_is_explained(cloudformation: Any) -> None:
    """A change CloudFormation will not even plan is told in its words."""
    unretained = template().replace('"DeletionPolicy": "Retain", ', "")
    module.deploy(cloudformation, template(), {"Word": "one"})
    cloudformation.delete_stack(StackName=STACK_ID)
    with pytest.raises(DataFactoryError, match="DeletionPolicy"):
        module.deploy(cloudformation, unretained, {"Word": "one"})


def test_no_stack_is_none(config: Config, tmp_path: Path) -> None:
    """Where there is no stack, there is none to describe."""
    assert module.describe(aws.client(config, "cloudformation")) is None
