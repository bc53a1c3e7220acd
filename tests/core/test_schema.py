"""Records may grow: what is not known is ignored where it was filed, refused where people send it."""

import json
from datetime import UTC, datetime
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore
from pydantic import ValidationError

from vbvrdatafactory.control.dataset_lock import LockClaim, LockHolder
from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.core.errors import NewerSchemaError, SpecError, UnreadableRecordError
from vbvrdatafactory.core.models import TaskMessage, TaskResult
from vbvrdatafactory.core.records import FailureRecord, Receipt
from vbvrdatafactory.core.schema import Versioned
from vbvrdatafactory.planning.plan import DatasetSpec, Override, Plan, make_spec
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.tallies import Tally
from vbvrdatafactory.s3 import records
from vbvrdatafactory.s3.dataset_lock import read_claim

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MESSAGE = TaskMessage(type="G", num_samples=4, seed=7)
FILED: list[Versioned] = [
    Receipt(
        message=MESSAGE,
        seed=7,
        stored=[MESSAGE.indices],
        result=TaskResult(generator="G", samples_uploaded=4, sample_ids=[]),
        attempt=1,
        generator_digest=None,
        finished_at=NOW,
    ),
    FailureRecord(message=MESSAGE, cause="crash", detail="it fell", attempt=1, failed_at=NOW),
    DatasetSpec(generators=("G",), samples=4, overrides={"G": Override(samples=2)}),
    LockClaim(token="t", run="r", holder=LockHolder("m", 1, 0.5), taken_at=NOW),
    PauseState(paused=True, at=NOW),
    Report(dataset="d", at=NOW, generators=[Tally(generator="G", expected=2, whole=1, torn=0)]),
]


def grown(value: Any) -> Any:
    """The same JSON with a field that nobody knows yet in every object of it."""
    if isinstance(value, dict):
        return {**{name: grown(each) for name, each in value.items()}, "of_tomorrow": 1}
    return [grown(each) for each in value] if isinstance(value, list) else value


def put(record: Any) -> MemoryStore:
    store = MemoryStore()
    obstore.put(store, "key", json.dumps(record).encode())
    return store


@pytest.mark.parametrize("record", FILED, ids=lambda record: type(record).__name__)
def test_fields_of_tomorrow_are_ignored_in_what_was_filed(record: Versioned) -> None:
    """At every level, and what is known is read as it was."""
    tomorrow = grown(record.model_dump(mode="json"))
    # A mapping's keys are data, not fields.
    for mapping in ("digests", "metadata_digests", "objects", "tasks", "profiles", "overrides"):
        tomorrow.get(mapping, {}).pop("of_tomorrow", None)
    for mapping in ("generators", "environments") if "pins" in tomorrow else ():
        tomorrow["pins"][mapping].pop("of_tomorrow")
    assert records.read(put(tomorrow), "key", type(record)) == record


@pytest.mark.parametrize("record", FILED, ids=lambda record: type(record).__name__)
def test_what_is_filed_says_its_schema_and_what_says_none_is_the_first(record: Versioned) -> None:
    """Records of before had no version."""
    written = record.model_dump(mode="json")
    assert written.pop("schema_version") == 1
    assert records.read(put(written), "key", type(record)) == record


@pytest.mark.parametrize("record", FILED, ids=lambda record: type(record).__name__)
def test_a_newer_schema_is_named_with_the_key_and_the_next_move(record: Versioned) -> None:
    """Whatever else it holds: it is not understood, rather than damaged."""
    newer = {**record.model_dump(mode="json"), "schema_version": 2}
    with pytest.raises(NewerSchemaError, match=r"^key: the \w+ has schema_version 2, and .* up to 1; update"):
        records.read(put(newer), "key", type(record))
    assert records.read_if_valid(put(newer), "key", type(record)) is None


def test_a_receipt_of_a_newer_message_is_newer() -> None:
    """What its replay would need is not known here."""
    receipt = FILED[0].model_dump(mode="json")
    receipt["message"]["schema_version"] = 4
    with pytest.raises(NewerSchemaError, match="key: the TaskMessage has schema_version 4"):
        records.read(put(receipt), "key", Receipt)


def test_a_lock_that_cannot_be_understood_is_not_free() -> None:
    """The run that holds it may be a newer version's."""
    claim = FILED[3].model_dump(mode="json")
    with pytest.raises(UnreadableRecordError, match="update it"):
        read_claim(put({**claim, "schema_version": 2}), "key")


def test_people_are_told_of_a_field_that_nobody_knows() -> None:
    """A misspelt field would change the batch or the dataset without a word."""
    with pytest.raises(ValidationError, match="start_indx"):
        TaskMessage.model_validate_json('{"type":"G","num_samples":4,"start_indx":5}')
    with pytest.raises(SpecError, match="sampels"):
        make_spec(generators=("G",), samples=4, sampels=5)


def test_a_message_of_the_first_schema_says_nothing_of_it() -> None:
    """A worker of before would refuse the field."""
    assert "schema_version" not in MESSAGE.to_json()


def test_a_message_with_a_prefix_is_of_the_second_schema() -> None:
    """A worker that does not know prefixes leaves it to one that does."""
    plan = Plan(make_spec(generators=("G",), samples=4, prefix="train/v2"))
    sent = [message.to_json() for message in plan.messages()]
    assert [json.loads(body)["schema_version"] for body in sent] == [2]
    assert [TaskMessage.parse(body).output_prefix for body in sent] == ["train/v2"]


def test_a_newer_message_is_newer_whatever_else_it_holds() -> None:
    """Not invalid: a newer worker knows it."""
    with pytest.raises(NewerSchemaError, match="the TaskMessage has schema_version 4"):
        TaskMessage.model_validate_json('{"type":"G","shape":"round","schema_version":4}')


@pytest.mark.parametrize("version", ['"2"', "0", "1.5", "null"])
def test_a_version_that_is_no_number_is_invalid(version: str) -> None:
    """It is not taken for a newer one, which would come back for ever."""
    with pytest.raises(ValidationError):
        TaskMessage.model_validate_json(f'{{"type":"G","num_samples":4,"schema_version":{version}}}')
