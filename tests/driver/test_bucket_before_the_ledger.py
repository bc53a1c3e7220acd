"""A bucket as the version before the ledger left it is read, reported, completed, and proven when it is adopted.

Two generators, eight samples each in batches of four. A-1_good lies as files, and its sample 1 was lost; A-2_packed lies in
archives. Its receipts have digests of the samples' content, and nothing of objects.
"""

import base64
import json
import shutil
from pathlib import Path

import obstore
import polars as pl
import pytest
from obstore.store import MemoryStore

from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from vbvrdatafactory.driver import adopt
from vbvrdatafactory.driver.messages import messages_for
from vbvrdatafactory.driver.observe import observe
from vbvrdatafactory.driver.reports import build_report
from vbvrdatafactory.driver.runs import list_runs
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.planning.contents import State
from vbvrdatafactory.planning.gaps import Observation
from vbvrdatafactory.planning.plan import Plan
from vbvrdatafactory.s3.ledger import read_part
from vbvrdatafactory.s3.specs import read_spec
from vbvrdatafactory.testing import InMemoryAws

DATA = Path(__file__).parents[1] / "data"
GOOD, PACKED = "A-1_good", "A-2_packed"


@pytest.fixture
def store(cloud: InMemoryAws) -> MemoryStore:
    """The bucket, as services see it."""
    for key, held in json.loads((DATA / "bucket-before-the-ledger" / "bucket.json").read_text()).items():
        data = held["text"].encode() if "text" in held else base64.b64decode(held["base64"])
        obstore.put(cloud.store, key, data)
    return cloud.store


@pytest.fixture
def plan(store: MemoryStore) -> Plan:
    """The plan of its spec, by whatever code: the tiny generator of today has another digest."""
    return Plan(read_spec(store, "spring").model_copy(update={"code": "any"}))


def digest_of(store: MemoryStore, index: int) -> str:
    """The digest in the ledger of a sample of A-1_good."""
    digest: str = read_part(store, GOOD).rows.filter(pl.col("index") == index)["digest"][0]
    return digest


def states(seen: Observation, name: str) -> list[State]:
    return [State(value) for value in seen.contents[name].states]


def test_its_samples_are_unproven_and_count(store: MemoryStore, plan: Plan) -> None:
    """Receipts cover them, which do not say what was stored; one is missing."""
    seen = observe(store, plan)
    assert states(seen, GOOD) == [State.UNPROVEN, State.NOT_WHOLE, *[State.UNPROVEN] * 6]
    assert states(seen, PACKED) == [State.UNPROVEN] * 8
    report = build_report(store, plan, seen, "bucket")
    assert (report.total.whole, report.total.missing, report.total.unproven) == (15, 1, 15)
    assert (report.total.distinct.distinct, report.total.distinct.known) == (16, 16)


def test_its_report_is_listed(store: MemoryStore) -> None:
    """A report of before, without the counts that came with the ledger."""
    (run,) = list_runs(store, "spring")
    assert run.report
    assert (run.report.total.whole, run.report.total.right) == (15, 0)


def test_it_is_completed_with_the_bytes_that_it_had(store: MemoryStore, plan: Plan, tmp_path: Path) -> None:
    """The lost sample is restored by the run of its old receipt: its digest is the one recorded there."""
    shutil.copytree(DATA / "tiny_generator", tmp_path / GOOD)
    (message,) = messages_for(store, plan, observe(store, plan).gaps)
    before = digest_of(store, 1)
    assert message.only_indices == (1,)
    Worker(tmp_path, lambda *_: store).process(Delivery(message, message.seed or 0, 1, 30))
    seen = observe(store, plan)
    assert states(seen, GOOD) == [State.UNPROVEN, State.RIGHT, *[State.UNPROVEN] * 6]
    assert (len(seen.gaps), digest_of(store, 1)) == (0, before)


def test_adopting_proves_it(cloud: InMemoryAws, store: MemoryStore, plan: Plan) -> None:
    """What has the digest of its old receipt is right from then on; one that was changed is adopted, of unknown origin."""
    obstore.put(store, f"questions/{GOOD}/tiny_task/tiny_0003/prompt.txt", b"by hand")
    candidates = adopt.find_candidates(Services(cloud.config), plan)
    done = adopt.adopt(store, candidates)
    assert (done.samples, done.known, done.problems) == (15, 14, ())
    seen = observe(store, plan)
    assert states(seen, GOOD) == [
        State.RIGHT,
        State.NOT_WHOLE,
        State.RIGHT,
        State.ADOPTED,
        *[State.RIGHT] * 4,
    ]
    assert states(seen, PACKED) == [State.RIGHT] * 8
    assert adopt.find_candidates(Services(cloud.config), plan) == []
