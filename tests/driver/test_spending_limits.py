"""What a run that is limited sends, and what it counts as spent, on a bad day."""

from collections.abc import Callable
from typing import Any

import obstore
import pytest

from tests.driver.test_pricing_loop import LIGHT, Measuring, play, spending
from vbvrdatafactory.control.circuit_breaker import PROBES
from vbvrdatafactory.core.models import Receipt, TaskMessage
from vbvrdatafactory.s3 import records


@pytest.fixture
def make(cloud) -> Callable[..., Measuring]:
    return lambda **otherwise: Measuring(cloud, **{"generators": (LIGHT,), **otherwise})


def filing(world: Measuring, change: Callable[[Receipt], Receipt]) -> None:
    """Have the world's worker file other receipts."""
    work = world.work

    def other(message: TaskMessage) -> None:
        before = set(receipts(world))
        work(message)
        for key in set(receipts(world)) - before:
            receipt = records.read(world.cloud.store, key, Receipt)
            assert receipt
            records.write(world.cloud.store, key, change(receipt))

    world.work = other  # type: ignore[method-assign]


def receipts(world: Measuring) -> list[str]:
    return [one["path"] for one in obstore.list(world.cloud.store).collect() if "/receipts/" in one["path"]]


def without_usage(receipt: Receipt) -> Receipt:
    return receipt.model_copy(update={"usage": None, "repetition": None})


def in_no_time(receipt: Receipt) -> Receipt:
    assert receipt.usage
    return receipt.model_copy(
        update={"usage": receipt.usage.model_copy(update={"seconds": 0.0}), "repetition": None}
    )


@pytest.mark.parametrize("change", [without_usage, in_no_time])
@pytest.mark.parametrize("limits", [{"require_approval": True}, {"max_cost_usd": 5.0}])
def test_what_has_no_price_is_sent_nothing_but_its_probes(
    make, change: Callable[[Receipt], Receipt], limits: dict[str, Any]
) -> None:
    """Older workers do not measure: their samples are no proof of what the rest costs, in no round."""
    world = make()
    filing(world, change)
    loop = play(world, **spending(**limits))
    assert [len(sent) for sent in world.sent] == [PROBES]
    assert "deploy workers of this version" in loop.problems[LIGHT]
