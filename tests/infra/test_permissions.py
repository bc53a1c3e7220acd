from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_cdk.assertions import Template

from infra.settings import StackSettings

Synthesise = Callable[[StackSettings], Template]


def statements(template: dict[str, Any], policy_name: str = "Worker") -> Iterator[dict[str, Any]]:
    """What a role allows, each action and resource in a list."""
    found = [one for one in template["Resources"].values() if one["Type"] == "AWS::IAM::Role"]
    assert len(found) == 2
    roles = [one for one in found if one["Properties"]["Policies"][0]["PolicyName"] == policy_name]
    assert not any(
        one["Type"] in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}
        for one in template["Resources"].values()
    )
    assert "ManagedPolicyArns" not in roles[0]["Properties"]
    for policy in roles[0]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield {
                "Action": _listed(statement["Action"]),
                "Resource": _listed(statement["Resource"]),
                "Effect": statement["Effect"],
                "Condition": statement.get("Condition"),
            }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def spelt(resource: Any) -> str:
    """A resource as text, each reference as <LogicalId>."""
    if isinstance(resource, str):
        return resource
    if "Fn::Join" in resource:
        return "".join(spelt(part) for part in resource["Fn::Join"][1])
    return f"<{resource.get('Ref') or resource['Fn::GetAtt'][0]}>"


def allowed(template: dict[str, Any], policy_name: str = "Worker") -> dict[str, set[str]]:
    """The actions a role may take on each resource."""
    found: dict[str, set[str]] = {}
    for statement in statements(template, policy_name):
        for resource in statement["Resource"]:
            found.setdefault(spelt(resource), set()).update(statement["Action"])
    return found


@pytest.mark.parametrize("packaging", ["image", "zip"])
def test_least_privilege(full: dict[str, dict[str, Any]], packaging: str) -> None:
    """The worker may do exactly what its work takes, in either packaging: no spec, lock, pause or report is its to touch."""
    by_resource = {
        "".join(
            kind
            for kind in ("Dataset", "Tasks", "DeadLetters", "WorkerLog")
            if kind in name.partition("/")[0]
        )
        + "".join(name.partition("/")[1:]): actions
        for name, actions in allowed(full[packaging]).items()
    }
    assert len(by_resource) == len(allowed(full[packaging]))
    assert by_resource == {
        "Dataset/questions/*": {
            "s3:PutObject",
            "s3:DeleteObject",
            "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts",
        },
        "Dataset/questions/*.tar.gz": {"s3:GetObject"},
        "Dataset/_datafactory/receipts/*": {"s3:PutObject", "s3:GetObject"},
        "Dataset/_datafactory/failures/*": {"s3:PutObject"},
        "Dataset/_datafactory/bands/*": {"s3:PutObject", "s3:GetObject"},
        "Dataset/_datafactory/unreadable/*": {"s3:PutObject"},
        "Dataset": {"s3:ListBucket"},
        "Tasks": {
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
            "sqs:SendMessage",
        },
        "DeadLetters": {"sqs:SendMessage"},
        "WorkerLog": {"logs:CreateLogStream", "logs:PutLogEvents"},
    }


@pytest.mark.parametrize("packaging", ["image", "zip"])
def test_only_what_is_looked_for_is_listed(full: dict[str, dict[str, Any]], packaging: str) -> None:
    """A listing must name one of the prefixes that the worker looks below."""
    (listing,) = [one for one in statements(full[packaging]) if "s3:ListBucket" in one["Action"]]
    assert listing["Condition"] == {
        "StringLike": {"s3:prefix": ["questions/*", "_datafactory/receipts/*", "_datafactory/bands/*"]}
    }


@pytest.mark.parametrize("packaging", ["image", "zip"])
def test_no_wildcard_but_keys_below_a_prefix(full: dict[str, dict[str, Any]], packaging: str) -> None:
    """No action has a wildcard, and no resource but "every key below this prefix"."""
    for resource, actions in allowed(full[packaging]).items():
        assert not any("*" in action for action in actions)
        assert "*" not in resource or "/questions/" in resource or "/_datafactory/" in resource
    assert all(statement["Effect"] == "Allow" for statement in statements(full[packaging]))


def test_other_buckets_are_allowed_one_by_one(synthesise: Synthesise) -> None:
    """A message may name another bucket only if the deployment listed it."""
    template = synthesise(StackSettings(extra_output_buckets=("other-one",))).to_json()
    may = {name: actions for name, actions in allowed(template).items() if "other-one" in name}
    bucket = "arn:<AWS::Partition>:s3:::other-one"
    assert {name.removeprefix(bucket).split("/")[1] for name in may if name != bucket} == {
        "questions",
        "_datafactory",
    }
    assert "s3:PutObject" in may[f"{bucket}/questions/*"]


def test_a_prefix_is_allowed_one_by_one(synthesise: Synthesise) -> None:
    """Below a prefix that the deployment lists the roles may do what they may do without one; below no other."""
    template = synthesise(StackSettings(prefixes=("train/v2",))).to_json()
    may = allowed(template)
    below = {name.partition("/train/v2/")[2]: may[name] for name in may if "/train/v2/" in name}
    plain = {
        name.partition("/")[2]: may[name]
        for name in may
        if "Dataset" in name and "/" in name and "/train/" not in name
    }
    assert below == plain
    (listing,) = [one for one in statements(template) if "s3:ListBucket" in one["Action"]]
    assert "train/v2/questions/*" in listing["Condition"]["StringLike"]["s3:prefix"]
    read = [name for name, actions in allowed(template, "Submit").items() if "s3:GetObject" in actions]
    assert any(name.endswith("/train/v2/_datafactory/*") for name in read)


@pytest.mark.parametrize("packaging", ["image", "zip"])
def test_the_submit_function_may_look_and_send(full: dict[str, dict[str, Any]], packaging: str) -> None:
    """It reads records and keeps specs and locks; it writes no sample and no receipt, and reads no sample."""
    may = allowed(full[packaging], "Submit")
    written = [name.partition("/")[2] for name, actions in may.items() if "s3:PutObject" in actions]
    read = [name.partition("/")[2] for name, actions in may.items() if "s3:GetObject" in actions]
    assert (written, read) == (["_datafactory/datasets/*"], ["_datafactory/*"])
    assert {action for actions in may.values() for action in actions} == {
        "s3:PutObject",
        "s3:GetObject",
        "s3:ListBucket",
        "sqs:SendMessage",
        "sqs:GetQueueAttributes",
        "lambda:InvokeFunction",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    (function,) = [name for name, actions in may.items() if "lambda:InvokeFunction" in actions]
    assert function.endswith(":function:VBVRDataFactoryPipelineStack-submit-tasks")
