"""The template for who has no clone: self-contained, with the image's address and the knobs as parameters.

It is the stack class's own template, with references in place of values. CloudFormation can't calculate, so what would
depend on another parameter, such as the function's timeout, is fixed.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from infra.worker import IMAGE_VARIABLE

# CloudFormation's limit for a template that is passed as text; one from S3 may be larger.
MOST_BYTES = 51_200

Json = dict[str, Any]

_PARAMETERS: Json = {
    "ImageUri": {
        "Type": "String",
        "AllowedPattern": r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9._/-]+(:[\w.-]+|@sha256:[0-9a-f]{64})",
        "ConstraintDescription": "an image in a private ECR repository of this region, with its tag or digest",
        "Description": "The worker's image, in a private ECR repository of this region ('make publish-image')",
    },
    "Architecture": {
        "Type": "String",
        "Default": "x86_64",
        "AllowedValues": ["x86_64", "arm64"],
        "Description": "What the image was built for",
    },
    "LambdaMemoryMB": {
        "Type": "Number",
        "Default": 1769,
        "MinValue": 128,
        "MaxValue": 10240,
        "Description": "Memory of the worker; 1769 MB are one processor, new accounts have at most 3008",
    },
    "EphemeralStorageMB": {
        "Type": "Number",
        "Default": 4096,
        "MinValue": 512,
        "MaxValue": 10240,
        "Description": "Temporary files of one batch",
    },
    "SqsMaxConcurrency": {
        "Type": "Number",
        "Default": 990,
        "MinValue": 2,
        "MaxValue": 1000,
        "Description": "Batches at a time; at most what the account's concurrency quota leaves",
    },
    "AlarmEmail": {
        "Type": "String",
        "Default": "",
        "AllowedPattern": r"([^@\s]+@[^@\s]+)?",
        "Description": "Is told of alarms, once it has confirmed the subscription; empty tells nobody",
    },
}
_HAS_EMAIL = "HasAlarmEmail"
# What stands after the @ of the image's address; empty where it has a tag.
_DIGEST: Json = {"Fn::Select": [1, {"Fn::Split": ["@", {"Fn::Sub": "${ImageUri}@"}]}]}


def one_click_template(template: Json) -> Json:
    """The one-click template.

    Args:
        template: that of a stack with packaging ``uri`` and some alarm address.
    """
    made = copy.deepcopy(template)
    made.pop("Rules", None)
    made["Description"] = "VBVR DataFactory: makes datasets of video-reasoning samples"
    made["Parameters"] = _PARAMETERS
    made["Conditions"] = {
        **made.get("Conditions", {}),
        _HAS_EMAIL: {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmEmail"}, ""]}]},
    }
    for name, resource in made["Resources"].items():
        _refer(name, resource)
        # Where in CDK's tree a resource came from is nobody's business, and a tenth of the size.
        resource.pop("Metadata", None)
    return made


def to_text(template: Json) -> str:
    """The template as it is committed.

    Raises:
        ValueError: it is larger than CloudFormation takes.
    """
    text = json.dumps(template, indent=1) + "\n"
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(
            f"the one-click template has {len(text.encode()):,} bytes; {MOST_BYTES:,} are allowed"
        )
    return text


def _refer(name: str, resource: Json) -> None:
    """Put references to the parameters in place of a resource's values."""
    properties = resource.get("Properties", {})
    if resource["Type"] == "AWS::Lambda::Function":
        properties["Code"] = {"ImageUri": {"Ref": "ImageUri"}}
        properties["Architectures"] = [{"Ref": "Architecture"}]
        if name.startswith("Worker"):
            properties["Environment"]["Variables"][IMAGE_VARIABLE] = _DIGEST
            properties["MemorySize"] = {"Ref": "LambdaMemoryMB"}
            properties["EphemeralStorage"] = {"Size": {"Ref": "EphemeralStorageMB"}}
    elif resource["Type"] == "AWS::Lambda::EventSourceMapping":
        properties["ScalingConfig"] = {"MaximumConcurrency": {"Ref": "SqsMaxConcurrency"}}
    elif resource["Type"] == "AWS::SNS::Subscription":
        properties["Endpoint"] = {"Ref": "AlarmEmail"}
        resource["Condition"] = _HAS_EMAIL
