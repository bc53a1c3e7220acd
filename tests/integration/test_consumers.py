"""What the event source mapping of the committed stack says, on the embedded AWS."""

import pytest

from vbvrdatafactory import aws
from vbvrdatafactory.sqs.consumers import diagnose_consumers, set_consuming

pytestmark = pytest.mark.aws


def test_the_stacks_mapping_is_found_switched_and_explained(running) -> None:
    """Enabled as deployed; disabled, it is named with a command for this endpoint; enabled again, it consumes."""
    sqs, functions, url = running.sqs, aws.client(running.config, "lambda"), running.config.sqs_queue_url
    assert diagnose_consumers(sqs, functions, url).consuming is True
    try:
        assert set_consuming(sqs, functions, url, enabled=False) == 1
        found = diagnose_consumers(sqs, functions, url)
        assert (found.consuming, running.function in found.reason) == (False, True)
        assert f"--uuid {running.mapping} --enabled" in found.next_move
        assert f"--endpoint-url {running.config.aws_endpoint_url}" in found.next_move
    finally:
        assert set_consuming(sqs, functions, url, enabled=True) == 1
    assert diagnose_consumers(sqs, functions, url).consuming is True


def test_a_throttled_worker_is_found_by_its_name(running) -> None:
    """Reserved concurrency 0 keeps the queue full; lifting it is the next move."""
    sqs, functions, url = running.sqs, aws.client(running.config, "lambda"), running.config.sqs_queue_url
    functions.put_function_concurrency(FunctionName=running.function, ReservedConcurrentExecutions=0)
    try:
        found = diagnose_consumers(sqs, functions, url)
    finally:
        functions.delete_function_concurrency(FunctionName=running.function)
    assert (found.consuming, "throttled" in found.reason) == (False, True)
    assert diagnose_consumers(sqs, functions, url).consuming is True
