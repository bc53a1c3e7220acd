"""The AwsSolutions rules hold for the stack, and each exception says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from constructs import IConstruct


def check(app: cdk.App) -> None:
    """Fail the synthesis of `app` on any finding that is not acknowledged."""
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Let one finding on one construct pass, e.g. ``"S1"``."""
    cdk.Validations.of(construct).acknowledge(
        cdk.Acknowledgment(id=f"AwsSolutions::AwsSolutions-{finding}", reason=reason)
    )


def acknowledge_objects(construct: IConstruct, bucket_arn: str, patterns: Iterable[str]) -> None:
    """Let a policy on `construct` name these objects of one bucket."""
    # The finding spells a reference to another resource as <LogicalId.Attribute>.
    arn = cdk.Stack.of(construct).resolve(bucket_arn)
    spelt = f"<{'.'.join(arn['Fn::GetAtt'])}>" if "Fn::GetAtt" in arn else _spell(arn["Fn::Join"][1])
    for pattern in patterns:
        acknowledge(
            construct,
            f"IAM5[Resource::{spelt}/{pattern}]",
            "A sample's and a record's name is known when it is made.",
        )


def _spell(parts: list[str | dict[str, str]]) -> str:
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
