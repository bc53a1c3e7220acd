import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template

from infra.settings import LOCAL, STACK_ID, StackSettings

Synthesise = Callable[[StackSettings], Template]
OUTPUTS = {"QueueUrl", "DlqUrl", "BucketName", "FunctionName", "SubmitFunctionName", "EventSourceMappingId"}


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
    """Neither deleting the stack nor replacing the bucket deletes the dataset or its policy; a failed first deployment does."""
    bucket = only(on_aws, "AWS::S3::Bucket")
    for one in (bucket, only(on_aws, "AWS::S3::BucketPolicy")):
        assert (one["DeletionPolicy"], one["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
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


def test_the_policy_of_a_named_bucket_is_taken_up_with_it(synthesise: Synthesise) -> None:
    """CloudFormation refuses a second policy of a bucket, and imports the one that is there by a name that is literal."""
    template = synthesise(StackSettings(bucket_name="the-dataset"))
    policy = only(template, "AWS::S3::BucketPolicy")
    (bucket,) = template.find_resources("AWS::S3::Bucket")
    assert policy["Properties"]["Bucket"] == "the-dataset"
    assert policy["DeletionPolicy"] == "RetainExceptOnCreate"
    assert bucket in policy["DependsOn"]


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


def test_one_message_an_invocation(on_aws: Template) -> None:
    """The queue feeds the worker one task at a time, 990 at once, and believes its partial answers."""
    mapping = only(on_aws, "AWS::Lambda::EventSourceMapping")["Properties"]
    assert mapping["BatchSize"] == 1
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 990}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_alarms(on_aws: Template) -> None:
    """Dead letters, errors, throttles, age, duration, and nothing finished while messages wait; silence raises none."""
    alarms = [one["Properties"] for one in on_aws.find_resources("AWS::CloudWatch::Alarm").values()]
    assert {one.get("MetricName", "expression") for one in alarms} == {
        "ApproximateNumberOfMessagesVisible",
        "Errors",
        "Throttles",
        "ApproximateAgeOfOldestMessage",
        "Duration",
        "expression",
    }
    thresholds = {one.get("MetricName", "expression"): one["Threshold"] for one in alarms}
    assert thresholds["Duration"] == 0.9 * 900_000
    assert thresholds["ApproximateAgeOfOldestMessage"] == 3.5 * 24 * 3600
    assert all(one["TreatMissingData"] == "notBreaching" and one["AlarmDescription"] for one in alarms)
    assert not any("AlarmActions" in one for one in alarms)


def test_alarms_are_told_to_whom_it_is_asked(synthesise: Synthesise) -> None:
    """With an address every alarm goes to a topic that it is subscribed to, over TLS alone."""
    template = synthesise(StackSettings(alarm_email="ops@example.com"))
    (topic,) = template.find_resources("AWS::SNS::Topic")
    subscription = only(template, "AWS::SNS::Subscription")["Properties"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")
    alarms = template.find_resources("AWS::CloudWatch::Alarm").values()
    assert all(one["Properties"]["AlarmActions"] == [{"Ref": topic}] for one in alarms)
    template.resource_count_is("AWS::SNS::TopicPolicy", 1)


def test_the_dashboard_answers_first_whether_it_works(on_aws: Template) -> None:
    """Its first row has the batches finished and the messages that wait."""
    body = only(on_aws, "AWS::CloudWatch::Dashboard")["Properties"]["DashboardBody"]
    text = "".join(part if isinstance(part, str) else "x" for part in body["Fn::Join"][1])
    widgets = json.loads(text)["widgets"]
    first = [one["properties"]["title"] for one in widgets if one["y"] == 0]
    assert first == ["Batches finished", "Messages waiting (to zero is done)"]


def test_a_second_stack_stands_beside_the_first(synthesise: Synthesise) -> None:
    """Another name makes another pipeline: no name in it is fixed but the submit function's, which begins with the stack's."""
    second = synthesise(StackSettings(stack_name="Second")).to_json()
    names = ("BucketName", "QueueName", "FunctionName", "RoleName", "TopicName", "AlarmName", "DashboardName")
    said = [one.get("Properties", {}).get(name) for one in second["Resources"].values() for name in names]
    assert [one for one in said if isinstance(one, str)] == ["Second-submit-tasks"]
    assert not [one for one in second["Outputs"].values() if "Export" in one]


def test_logs_expire(on_aws: Template) -> None:
    """The logs of both functions are kept for thirty days."""
    kept = on_aws.find_resources("AWS::Logs::LogGroup", {"Properties": {"RetentionInDays": 30}})
    assert len(kept) == 2


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
    worker = only(template, "AWS::Lambda::Function", FunctionName=Match.absent())["Properties"]
    assert (worker["MemorySize"], worker["Timeout"], worker["EphemeralStorage"]) == (1769, 300, {"Size": 512})
    mapping = only(template, "AWS::Lambda::EventSourceMapping")["Properties"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == 50
    queue = only(template, "AWS::SQS::Queue", RedrivePolicy=Match.any_value())["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    assert len(template.find_resources("AWS::Logs::LogGroup", {"Properties": {"RetentionInDays": 7}})) == 2


def test_one_class_makes_both(full: dict[str, dict[str, Any]]) -> None:
    """The embedded stack has the same resources under the same names as the one on AWS, but what watches it: it has no metrics."""
    image, embedded = (
        {name: resource["Type"] for name, resource in full[kind]["Resources"].items()}
        for kind in ("image", "zip")
    )
    assert {name: kind for name, kind in image.items() if "CloudWatch" not in kind} == embedded
    assert set(full["image"]["Outputs"]) == set(full["zip"]["Outputs"]) == OUTPUTS
    assert LOCAL.worker_packaging == "zip"
