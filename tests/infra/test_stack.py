from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template

from infra.settings import LOCAL, STACK_ID, StackSettings

Synthesise = Callable[[StackSettings], Template]
OUTPUTS = {"QueueUrl", "DlqUrl", "BucketName", "FunctionName", "EventSourceMappingId"}


def only(template: Template, kind: str, **properties: Any) -> dict[str, Any]:
    """The one resource of a kind with these properties."""
    found = template.find_resources(kind, {"Properties": properties} if properties else None)
    assert len(found) == 1, list(found)
    resource: dict[str, Any] = next(iter(found.values()))
    return resource


def test_stack_id() -> None:
    """The stack's name is the documented one."""
    assert STACK_ID == "VBVRDataFactoryPipelineStack"


def test_outputs(on_aws: Template) -> None:
    """The stack says where its queues and its bucket are."""
    assert set(on_aws.find_outputs("*")) == OUTPUTS


def test_the_bucket_outlives_the_stack(on_aws: Template) -> None:
    """Neither deleting the stack nor replacing the bucket deletes the dataset."""
    bucket = only(on_aws, "AWS::S3::Bucket")
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert "BucketName" not in bucket["Properties"]


def test_the_bucket_is_private(on_aws: Template) -> None:
    """The bucket is encrypted, shut to the public, and tidies up after broken uploads."""
    on_aws.has_resource_properties(
        "AWS::S3::Bucket",
        {
            "BucketEncryption": Match.any_value(),
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "LifecycleConfiguration": {
                "Rules": [{"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}, "Status": "Enabled"}]
            },
        },
    )


def test_a_named_bucket(synthesise: Synthesise) -> None:
    """A bucket's name can be given literally, which is what adopting an existing bucket takes."""
    template = synthesise(StackSettings(bucket_name="the-dataset"))
    assert only(template, "AWS::S3::Bucket")["Properties"]["BucketName"] == "the-dataset"


@pytest.mark.parametrize("kind", ["AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"])
def test_transport_is_encrypted(on_aws: Template, kind: str) -> None:
    """The bucket and both queues refuse requests without TLS."""
    policies = on_aws.find_resources(kind)
    assert len(policies) == (1 if kind == "AWS::S3::BucketPolicy" else 2)
    for policy in policies.values():
        (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_task_is_tried_three_times(on_aws: Template) -> None:
    """The queue hides a task for six function timeouts and gives it up after three receives."""
    queue = only(on_aws, "AWS::SQS::Queue", RedrivePolicy=Match.any_value())["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 3
    assert queue["VisibilityTimeout"] == 6 * 15 * 60
    assert queue["SqsManagedSseEnabled"] is True


def test_dead_letters_are_kept_longer(on_aws: Template) -> None:
    """A dead letter is kept for fourteen days, which is longer than the queue keeps a task."""
    dead = only(on_aws, "AWS::SQS::Queue", RedrivePolicy=Match.absent())["Properties"]
    live = only(on_aws, "AWS::SQS::Queue", RedrivePolicy=Match.any_value())["Properties"]
    assert dead["MessageRetentionPeriod"] == 14 * 24 * 3600 > live["MessageRetentionPeriod"]


def test_a_task_for_each_processor_an_invocation(on_aws: Template) -> None:
    """The queue feeds the worker one task at a time, 990 at once, and believes its partial answers."""
    mapping = only(on_aws, "AWS::Lambda::EventSourceMapping")["Properties"]
    assert mapping["BatchSize"] == 2
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 990}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_alarm(on_aws: Template) -> None:
    """One dead letter raises the alarm; silence does not."""
    on_aws.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {"Threshold": 0, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"},
    )


def test_logs_expire(on_aws: Template) -> None:
    """The worker's log is kept for thirty days."""
    assert only(on_aws, "AWS::Logs::LogGroup")["Properties"]["RetentionInDays"] == 30


def test_settings_reach_the_resources(synthesise: Synthesise) -> None:
    """What the settings say is what is deployed."""
    template = synthesise(
        StackSettings(
            lambda_memory_mb=1769,
            lambda_timeout_minutes=5,
            ephemeral_storage_mb=512,
            sqs_max_concurrency=50,
            max_receives=5,
            log_retention_days=7,
        )
    )
    worker = only(template, "AWS::Lambda::Function")["Properties"]
    assert (worker["MemorySize"], worker["Timeout"], worker["EphemeralStorage"]) == (1769, 300, {"Size": 512})
    mapping = only(template, "AWS::Lambda::EventSourceMapping")["Properties"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == 50
    queue = only(template, "AWS::SQS::Queue", RedrivePolicy=Match.any_value())["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    assert only(template, "AWS::Logs::LogGroup")["Properties"]["RetentionInDays"] == 7


def test_one_class_makes_both(full: dict[str, dict[str, Any]]) -> None:
    """The embedded stack has the same resources under the same names as the one on AWS."""
    image, embedded = (
        {name: resource["Type"] for name, resource in full[kind]["Resources"].items()}
        for kind in ("image", "zip")
    )
    assert image == embedded
    assert set(full["image"]["Outputs"]) == set(full["zip"]["Outputs"]) == OUTPUTS
    assert LOCAL.worker_packaging == "zip"
