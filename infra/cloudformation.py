"""The committed template, created or updated through CloudFormation: only what differs, adopting the bucket."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.settings import STACK_ID
from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackTypeDef

SETTLE_SECONDS = 60.0

_PAUSE = 0.02

_DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_UPDATABLE = {*_DONE, "UPDATE_ROLLBACK_COMPLETE"}


@dataclass(frozen=True)
class Deployed:
    """What a stack says about itself."""

    status: str
    reason: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


def describe(cloudformation: CloudFormationClient) -> Deployed | None:
    """The stack as it is, if there is one."""
    try:
        stack = cloudformation.describe_stacks(StackName=STACK_ID)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return _deployed(stack)


def _deployed(stack: StackTypeDef) -> Deployed:
    return Deployed(
        status=stack["StackStatus"],
        reason=stack.get("StackStatusReason", ""),
        parameters={each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])},
        outputs={each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])},
    )


def deploy(cloudformation: CloudFormationClient, template: str, parameters: Mapping[str, str]) -> Deployed:
    """Make the stack be what the template and the parameters say."""
    stack = describe(cloudformation)
    if stack and stack.status not in _UPDATABLE:
        _delete(cloudformation)
        stack = None
    if (
        stack
        and stack.status in _DONE
        and stack.parameters == parameters
        and _template(cloudformation) == json.loads(template)
    ):
        return stack
    (_update if stack else _create)(cloudformation, template, parameters)
    return _finished(cloudformation)


def _template(cloudformation: CloudFormationClient) -> object:
    body: object = cloudformation.get_template(StackName=STACK_ID)["TemplateBody"]
    return json.loads(body) if isinstance(body, str) else body


def _create(cloudformation: CloudFormationClient, template: str, parameters: Mapping[str, str]) -> None:
    """Make the stack by a change set, as only that can take in the bucket an earlier stack left."""
    name = f"create-{time.time_ns()}"
    cloudformation.create_change_set(
        StackName=STACK_ID,
        ChangeSetName=name,
        ChangeSetType="CREATE",
        TemplateBody=template,
        Parameters=_spelt(parameters),
        Capabilities=["CAPABILITY_IAM"],
        ImportExistingResources=True,
        # ministack's validation takes the name of the bucket to take in for a conflict.
        DisableValidation=True,
    )
    made = _settled(
        lambda: cloudformation.describe_change_set(StackName=STACK_ID, ChangeSetName=name), "Status"
    )
    if made["Status"] != "CREATE_COMPLETE":
        raise DataFactoryError(
            f"CloudFormation will not make {STACK_ID}: {made.get('StatusReason', made['Status'])}"
        )
    cloudformation.execute_change_set(StackName=STACK_ID, ChangeSetName=name)


def _update(cloudformation: CloudFormationClient, template: str, parameters: Mapping[str, str]) -> None:
    """Change the stack directly: ministack's change sets see no change where only an output differs."""
    try:
        cloudformation.update_stack(
            StackName=STACK_ID,
            TemplateBody=template,
            Parameters=_spelt(parameters),
            Capabilities=["CAPABILITY_IAM"],
        )
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise


def _spelt(parameters: Mapping[str, str]) -> list[ParameterTypeDef]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def _finished(cloudformation: CloudFormationClient) -> Deployed:
    """The stack when CloudFormation is done with it; raises with the reason if it could not do it."""
    stack = _deployed(
        _settled(lambda: cloudformation.describe_stacks(StackName=STACK_ID)["Stacks"][0], "StackStatus")
    )
    if stack.status not in _DONE:
        raise DataFactoryError(f"{STACK_ID} ended as {stack.status}: {_first_failure(cloudformation)}")
    return stack


def _first_failure(cloudformation: CloudFormationClient) -> str:
    """The resource that failed first in the last operation, and why; the others failed because of it."""
    reason = "CloudFormation gives no reason"
    for event in cloudformation.describe_stack_events(StackName=STACK_ID)["StackEvents"]:  # newest first
        status, name = event.get("ResourceStatus", ""), event.get("LogicalResourceId")
        if name == STACK_ID and status in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"}:
            break
        if status.endswith("_FAILED") and event.get("ResourceStatusReason"):
            reason = f"{name}: {event['ResourceStatusReason']}"
    return reason


def _delete(cloudformation: CloudFormationClient) -> None:
    """Remove a stack that cannot be updated; its bucket stays."""
    cloudformation.delete_stack(StackName=STACK_ID)
    deadline = time.monotonic() + SETTLE_SECONDS
    while describe(cloudformation):
        if time.monotonic() > deadline:
            raise DataFactoryError(f"{STACK_ID} was not deleted within {SETTLE_SECONDS:.0f} s")
        time.sleep(_PAUSE)


def _settled(look: Callable[[], Any], status: str) -> Any:  # noqa: ANN401 - what `look` returns
    deadline = time.monotonic() + SETTLE_SECONDS
    while (seen := look())[status].endswith(("_IN_PROGRESS", "_PENDING")):
        if time.monotonic() > deadline:
            raise DataFactoryError(f"{STACK_ID} is still {seen[status]} after {SETTLE_SECONDS:.0f} s")
        time.sleep(_PAUSE)
    return seen
