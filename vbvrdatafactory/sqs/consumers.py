"""What consumes a queue: the state of its event source mappings and their functions, and what keeps them from receiving.

A running `datafactory worker` consumes the queue too, and is not visible to any AWS API.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlparse

from botocore.exceptions import BotoCoreError, ClientError

from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef as Mapping
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef as Function
    from mypy_boto3_sqs import SQSClient

_ON, _OFF = {"Creating", "Enabling", "Enabled"}, {"Disabling", "Disabled"}
_DEPLOY = "deploy the stack ('cdk deploy', or 'datafactory local up' on the embedded AWS)"
_OR_BY_HAND = "or receive messages on any machine with 'datafactory worker'"


class ConsumerDiagnosis(NamedTuple):
    """Why messages are received or not.

    Args:
        reason: the state that was found.
        next_move: what to do about it, a command where there is one.
        consuming: whether messages can be received; None where that could not be determined.
    """

    reason: str
    next_move: str
    consuming: bool | None

    def __str__(self) -> str:
        return f"{self.reason}; {self.next_move}"


def diagnose_consumers(sqs: "SQSClient", functions: "LambdaClient", queue_url: str) -> ConsumerDiagnosis:
    """Why messages of the queue are received or not. A missing permission is a result too, never an error."""
    try:
        found = [_examine(functions, mapping) for mapping in _mappings(sqs, functions, queue_url)]
    except ClientError as error:
        return _refused(error)
    except BotoCoreError as error:
        return ConsumerDiagnosis(
            f"AWS does not respond: {error}", "check the network and AWS_ENDPOINT_URL", None
        )
    none = ConsumerDiagnosis(
        "no event source mapping receives messages from the queue",
        f"{_DEPLOY}, {_OR_BY_HAND}",
        consuming=False,
    )
    return max(found, key=lambda one: bool(one.consuming), default=none)


def find_function(
    sqs: "SQSClient", functions: "LambdaClient", queue_url: str
) -> "tuple[Mapping, Function] | None":
    """The first enabled event source mapping of the queue, and its function's configuration; None where there is none.

    Raises:
        ClientError: this identity may not read them.
    """
    for mapping in _mappings(sqs, functions, queue_url):
        if mapping["State"] in _ON | {"Updating"}:
            name = mapping["FunctionArn"].split(":function:")[-1]
            return mapping, functions.get_function_configuration(FunctionName=name)
    return None


def set_consuming(
    sqs: "SQSClient",
    functions: "LambdaClient",
    queue_url: str,
    enabled: bool,  # noqa: FBT001 - the one thing it sets
) -> int:
    """Enable or disable the queue's event source mappings; messages in flight go on. Returns how many mappings exist.

    Raises:
        DataFactoryError: a mapping can't be changed, with the reason and the next move.
    """
    try:
        mappings = list(_mappings(sqs, functions, queue_url))
        for mapping in mappings:
            if mapping["State"] not in (_ON if enabled else _OFF):
                functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)
    except ClientError as error:
        raise DataFactoryError(str(_refused(error))) from error
    return len(mappings)


def _mappings(sqs: "SQSClient", functions: "LambdaClient", queue_url: str) -> "Iterator[Mapping]":
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    pages = functions.get_paginator("list_event_source_mappings")
    for page in pages.paginate(EventSourceArn=answer["Attributes"]["QueueArn"]):
        yield from page["EventSourceMappings"]


def _examine(functions: "LambdaClient", mapping: "Mapping") -> ConsumerDiagnosis:
    name = mapping["FunctionArn"].split(":function:")[-1]
    if mapping["State"] in _ON | {"Updating"}:
        return _examine_function(functions, name, mapping.get("LastProcessingResult", "unknown"))
    why = mapping.get("StateTransitionReason", "no reason given")
    return ConsumerDiagnosis(
        f"the event source mapping of {name} is {mapping['State'].lower()} ({why})",
        _command(functions, f"update-event-source-mapping --uuid {mapping['UUID']} --enabled"),
        consuming=False,
    )


def _examine_function(functions: "LambdaClient", name: str, last_result: str) -> ConsumerDiagnosis:
    """What keeps the function of an enabled mapping from running."""
    try:
        function = functions.get_function_configuration(FunctionName=name)
    except functions.exceptions.ResourceNotFoundException:
        return ConsumerDiagnosis(
            f"the function {name} does not exist", f"{_DEPLOY}, {_OR_BY_HAND}", consuming=False
        )
    if function.get("State") == "Failed":
        why = function.get("StateReason", "no reason given")
        return ConsumerDiagnosis(f"the function {name} is failed: {why}", f"{_DEPLOY} again", consuming=False)
    # Concurrency and log group belong to the function, not to a version or alias.
    plain = name.split(":", maxsplit=1)[0]
    if functions.get_function_concurrency(FunctionName=plain).get("ReservedConcurrentExecutions") == 0:
        return ConsumerDiagnosis(
            f"the function {plain} is throttled: its reserved concurrency is 0",
            _command(functions, f"delete-function-concurrency --function-name {plain}"),
            consuming=False,
        )
    log_group = function.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{plain}")
    update = " and its last update failed" if function.get("LastUpdateStatus") == "Failed" else ""
    return ConsumerDiagnosis(
        f"the function {name} exists, its event source mapping is enabled{update}, "
        f"the last result was: {last_result}",
        f"read its log: {_aws(functions, f'logs tail {log_group} --since 15m')}",
        consuming=True,
    )


def _refused(error: ClientError) -> ConsumerDiagnosis:
    code, operation = error.response["Error"]["Code"], error.operation_name
    if "NonExistentQueue" in code or "QueueDoesNotExist" in code:
        return ConsumerDiagnosis(
            "the queue does not exist", f"check SQS_QUEUE_URL, or {_DEPLOY}", consuming=False
        )
    if "AccessDenied" in code or "Unauthorized" in code:
        service = "sqs" if "Queue" in operation else "lambda"
        permission = f"{service}:{operation}"
        return ConsumerDiagnosis(
            f"access denied: {permission} is missing",
            f"grant {permission} to the identity that runs this",
            None,
        )
    return ConsumerDiagnosis(f"AWS refused {operation}: {error}", "try again in a minute", None)


def _command(functions: "LambdaClient", arguments: str) -> str:
    return f"run {_aws(functions, f'lambda {arguments}')}"


def _aws(functions: "LambdaClient", arguments: str) -> str:
    """A command of the AWS CLI for the region and, beside AWS itself, the endpoint of the client."""
    endpoint = functions.meta.endpoint_url
    elsewhere = not (urlparse(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))
    where = f" --endpoint-url {endpoint}" if elsewhere else ""
    return f"`aws {arguments} --region {functions.meta.region_name}{where}`"
