r"""Looks at the bucket, and sends only what the requested dataset lacks; answers with counts.

aws lambda invoke --function-name VBVRDataFactoryPipelineStack-submit-tasks --cli-binary-format raw-in-base64-out \
      --payload '{"generators": ["O-*"], "samples": 10000}' answer.json
"""

import json
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from vbvrdatafactory import aws
from vbvrdatafactory.core.config import config
from vbvrdatafactory.driver import choosing, sending
from vbvrdatafactory.driver.pricing import price_missing, with_sizes
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.report.plan_text import COLUMNS, cells, headline, notes
from vbvrdatafactory.submit_lambda.request import read_request

log = logging.getLogger("submit_lambda")
log.setLevel(logging.INFO)

# A payload that the answer names at most so many left out of.
_NAMED = 100
_NO_TIME = (
    "looking at the bucket took all of the function's time, and nothing was sent; ask for fewer generators at a time, "
    "or use 'datafactory submit', which has no time limit"
)


class Context(Protocol):
    """The part of Lambda's context object that is used."""

    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int: ...


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Make one request.

    Returns:
        Counts; ``cursor`` is None where all was sent, else where to go on from.

    Raises:
        DataFactoryError: the request is refused; the message says why, and what to do.
    """
    request = read_request(event)
    services = Services(config.answering, log=log)
    chosen = choosing.choose(services.config, request.generators)
    plan = choosing.plan(services.config, chosen, request.wanted)
    answer = {
        "dataset": plan.spec.dataset,
        "generators": len(plan.generators),
        "samples": plan.sample_count,
        "left_out": dict(list(chosen.left_out.items())[:_NAMED]),
    }
    if request.dry_run:
        return {**answer, **_look(services, plan)}
    sent = sending.send_missing(
        services,
        plan,
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
        cursor=request.cursor,
        replace_spec=request.replace_spec,
    )
    cursor = sent.cursor.model_dump() if sent.cursor else None
    # One that sent nothing would go on for ever.
    goes_on = bool(cursor and request.go_on and sent.messages)
    if goes_on:
        _invoke_again(services, {**event, "cursor": cursor}, context)
    log.info("%s: %d messages sent, cursor %s", plan.spec.dataset, sent.messages, cursor)
    return {
        **answer,
        "whole": plan.sample_count - sent.seen.gaps.sample_count,
        "messages_sent": sent.messages,
        "problems": [*sent.problems[:_NAMED], *([] if sent.messages or not cursor else [_NO_TIME])],
        "cursor": cursor,
        "goes_on": goes_on,
    }


def _look(services: Services, plan: Plan) -> dict[str, Any]:
    seen = sending.look(services, plan)
    missing = seen.gaps.sample_count
    price = price_missing(services, plan, seen, strict=False)
    plan = with_sizes(services, plan, seen)
    return {
        "whole": plan.sample_count - missing,
        "messages_to_send": sending.count_messages(services, plan, seen.gaps),
        "price": {
            "headline": headline(price),
            "notes": [*notes(price)],
            "usd": price.usd._asdict(),
            "wall_seconds": price.wall_seconds._asdict(),
            "gb_seconds": price.gb_seconds._asdict(),
            "generators": [dict(zip(COLUMNS, cells(one), strict=True)) for one in price.generators[:_NAMED]],
        },
        "dry_run": True,
    }


def _invoke_again(services: Services, event: Mapping[str, Any], context: Context) -> None:
    """Have the rest sent by an invocation of its own, which goes on in the same way."""
    payload = json.dumps(event).encode()
    functions = aws.client(services.config, "lambda")
    functions.invoke(FunctionName=context.invoked_function_arn, InvocationType="Event", Payload=payload)
