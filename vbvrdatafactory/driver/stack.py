"""What AWS says of a deployed stack: its outputs, and the facts that decide whether a run can use it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from vbvrdatafactory.control.readiness import StackFacts
from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient

# The variables of the configuration, by the stack's outputs.
VARIABLES = {"QueueUrl": "SQS_QUEUE_URL", "DlqUrl": "SQS_DLQ_URL", "BucketName": "OUTPUT_BUCKET"}


class Stack(NamedTuple):
    """A stack.

    Args:
        name: its name.
        status: as CloudFormation has it.
        reason: why it is so; empty where it does not say.
        outputs: by name.
    """

    name: str
    status: str
    reason: str
    outputs: Mapping[str, str]

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the configuration that its outputs are.

        Raises:
            DataFactoryError: it has not all of them, as when it was never finished.
        """
        missing = [name for name in VARIABLES if name not in self.outputs]
        if missing:
            raise DataFactoryError(f"stack {self.name!r} is {self.status} and has no output {missing[0]!r}")
        return {variable: self.outputs[name] for name, variable in VARIABLES.items()}


def find_stack(cloudformation: "CloudFormationClient", name: str) -> Stack | None:
    """The stack of that name; None where there is none."""
    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    return Stack(name, found["StackStatus"], found.get("StackStatusReason", ""), outputs)


def stack_facts(stack: Stack | None, functions: "LambdaClient") -> StackFacts:
    """The facts of a stack; those that this identity may not read are left out."""
    if stack is None:
        return StackFacts(quota=concurrency_quota(functions))
    function = _asked(lambda: functions.get_function(FunctionName=stack.outputs.get("FunctionName", "")))
    mapping = _asked(
        lambda: functions.get_event_source_mapping(UUID=stack.outputs.get("EventSourceMappingId", ""))
    )
    configuration = function.get("Configuration", {})
    return StackFacts(
        status=stack.status,
        reason=stack.reason,
        mapping=mapping.get("State", ""),
        most_at_once=mapping.get("ScalingConfig", {}).get("MaximumConcurrency"),
        # A function that was just made says nothing of a state on some endpoints.
        function=configuration.get("State", "Active") if configuration else "",
        memory_mb=configuration.get("MemorySize", 0),
        temp_mb=configuration.get("EphemeralStorage", {}).get("Size", 0),
        image=function.get("Code", {}).get("ResolvedImageUri", ""),
        quota=concurrency_quota(functions),
    )


def concurrency_quota(functions: "LambdaClient") -> int | None:
    """How many functions the account may run at once; None where this identity may not read it."""
    limits = _asked(functions.get_account_settings).get("AccountLimit", {})
    quota: int | None = limits.get("ConcurrentExecutions")
    return quota


def _asked(call: Any) -> Any:  # noqa: ANN401 - any answer of boto3
    """The answer of a call; nothing where what it asks for is not there or not allowed."""
    try:
        return call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if any(one in code for one in ("NotFound", "AccessDenied", "Validation", "InvalidAction", "Unknown")):
            return {}
        raise
