"""What `datafactory stack` does: addresses into a file, readiness, events as they come."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import set_key

from vbvrdatafactory import aws
from vbvrdatafactory.cli import output
from vbvrdatafactory.cli.context import App
from vbvrdatafactory.control.readiness import before_deploying, problems
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.driver.stack import Stack, concurrency_quota, find_stack, stack_facts

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# The defaults of the stack's context.
_MEMORY_MB, _MOST_AT_ONCE = 1769, 990


def write_addresses(app: App, name: str, file: Path) -> dict[str, str]:
    """Write the stack's addresses into a dotenv file; its other lines stay."""
    variables = _need(app, name).variables
    file.touch()
    for variable, value in variables.items():
        set_key(file, variable, value, quote_mode="never")
    return variables


def tell_status(app: App, name: str) -> bool:
    """Say how the stack is; whether a run would make something."""
    functions = aws.client(app.config, "lambda")
    found = find_stack(aws.client(app.config, "cloudformation"), name)
    facts = stack_facts(found, functions)
    if found is None:
        quota = concurrency_quota(functions)
        output.say(f"{name} is not deployed in {app.config.aws_region}.")
        for one in before_deploying(quota, memory_mb=_MEMORY_MB, most_at_once=_MOST_AT_ONCE) if quota else ():
            output.note(f"{one.text}; {one.next_move}")
        return False
    output.say(f"{name}: {found.status}")
    output.say(
        f"  function {facts.function or 'not there'}, {facts.memory_mb} MB, {facts.temp_mb} MB of temp files"
        + (f", image {facts.image}" if facts.image else "")
    )
    quota_said = f"{facts.quota:,}" if facts.quota is not None else "unknown"
    output.say(
        f"  event source mapping {facts.mapping or 'not there'}, at most {facts.most_at_once} at once; quota {quota_said}"
    )
    met = problems(facts)
    for one in met:
        output.note(f"{one.text}; {one.next_move}")
    if not met:
        output.say("A run can use it.")
    return not any(one.stops for one in met)


def watch(app: App, name: str, interval: float) -> bool:
    """Print the stack's events until it is settled; whether it settled well."""
    cloudformation = aws.client(app.config, "cloudformation")
    seen: set[str] = set()
    while True:
        found = _need(app, name)
        for line in _new_events(cloudformation, name, seen):
            output.say(line)
        if not found.status.endswith("IN_PROGRESS"):
            output.say(f"{name}: {found.status}")
            return found.status.endswith("COMPLETE") and "ROLLBACK" not in found.status
        time.sleep(interval)


def _new_events(cloudformation: "CloudFormationClient", name: str, seen: set[str]) -> list[str]:
    """Events that were not seen before, the oldest first."""
    lines: list[str] = []
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=name):
        for event in page["StackEvents"]:
            if event["EventId"] in seen:
                return lines[::-1]
            seen.add(event["EventId"])
            reason = f": {event['ResourceStatusReason']}" if event.get("ResourceStatusReason") else ""
            lines.append(
                f"{event['Timestamp']:%H:%M:%S} {event['LogicalResourceId']} {event['ResourceStatus']}{reason}"
            )
    return lines[::-1]


def _need(app: App, name: str) -> Stack:
    found = find_stack(aws.client(app.config, "cloudformation"), name)
    if found is None:
        raise DataFactoryError(
            f"there is no stack {name!r} in {app.config.aws_region}; deploy it, or name another with --stack"
        )
    return found
