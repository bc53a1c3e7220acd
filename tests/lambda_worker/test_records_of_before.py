"""The worker continues what version 0.1.0 left in a queue and in a bucket, byte for byte."""

import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from tests.lambda_worker.conftest import TINY
from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.driver.messages import messages_for
from vbvrdatafactory.driver.observe import observe
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3.specs import read_spec


@pytest.mark.parametrize("sent_by", ["0.1.0", "this version"])
def test_lost_samples_come_back_as_they_were(
    generators: Path, bucket_of_before: MemoryStore, facts_of_before: dict[str, Any], sent_by: str
) -> None:
    """Whoever plans what is missing, its messages bring back the very files that were lost, and complete the dataset."""
    store = bucket_of_before
    for name in ("A-1_good", "A-2_crashes"):
        shutil.copytree(TINY, generators / name)
    plan = Plan(read_spec(store, "spring"))
    planned = messages_for(store, plan, observe(store, plan).gaps)
    bodies = facts_of_before["replay"] if sent_by == "0.1.0" else [message.to_json() for message in planned]
    worker = Worker(generators, lambda *_: store)
    for body in bodies:
        message = TaskMessage.model_validate_json(body)
        worker.process(Delivery(message, message.seed or 0, 1, 60))
    assert observe(store, plan).gaps.sample_count == 0
    for key, digest in facts_of_before["lost"].items():
        if key.endswith(".mp4"):
            # The videos of the tiny generator were none then, and would not be stored now.
            continue
        assert sha256(bytes(obstore.get(store, key).bytes())).hexdigest() == digest
