"""The wire contract: six fields, everything else optional, nothing misspelt."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vbvrdatafactory.core.causes import Cause
from vbvrdatafactory.core.contract import KNOWN_FILES
from vbvrdatafactory.core.models import MAX_BATCH, TaskMessage
from vbvrdatafactory.core.ranges import IndexRange

MINIMAL = {"type": "G-1_x", "num_samples": 5}


@st.composite
def task_messages(draw: st.DrawFn) -> TaskMessage:
    size, start = draw(st.integers(1, MAX_BATCH)), draw(st.integers(0, 2**31 - 1))
    within = st.lists(st.integers(start, start + size - 1), min_size=1, max_size=20).map(tuple)
    return TaskMessage(
        type=draw(st.sampled_from(["O-41_nonogram_data-generator", "G-6_resize_object-data-generator"])),
        num_samples=size,
        start_index=start,
        seed=draw(st.none() | st.integers(0, 2**32 - 1)),
        output_format=draw(st.sampled_from(["files", "tar"])),
        output_bucket=draw(st.none() | st.just("my-bucket")),
        dataset=draw(st.none() | st.just("spring")),
        salt=draw(st.integers(0, 9)),
        only_indices=draw(st.none() | within),
        require=tuple(draw(st.sets(st.sampled_from(KNOWN_FILES)))),
        python_hash_seed=draw(st.none() | st.integers(0, 2**32 - 1)),
    )


def test_a_minimal_message_written_by_hand_has_the_contracts_defaults() -> None:
    """Type and count are enough: it starts at 0, as files, into the worker's bucket, with a seed of its own."""
    message = TaskMessage.model_validate_json('{"type": "G-1_x", "num_samples": 5}')
    shown = (message.start_index, message.seed, message.output_format, message.output_bucket)
    assert shown == (0, None, "files", None)
    assert message.indices == IndexRange(0, 5)


@given(task_messages())
def test_a_message_comes_back_from_the_wire(message: TaskMessage) -> None:
    """What is sent is what is received, whatever is set."""
    assert TaskMessage.model_validate_json(message.to_json()) == message


@given(task_messages())
def test_what_is_not_set_is_not_on_the_wire(message: TaskMessage) -> None:
    """No null and no empty extra field travels, so a worker that knows the contract alone can read it."""
    wire = json.loads(message.to_json())
    assert None not in wire.values()
    assert {"type", "num_samples", "start_index", "output_format"} <= set(wire)
    assert "dedup" not in wire
    assert all(wire[name] for name in ("salt", "require", "only_indices", "dataset") if name in wire)


def test_a_planned_message_reads_as_documented() -> None:
    """The wire form of an ordinary batch, spelt out."""
    message = TaskMessage(type="G-1_x", num_samples=25, start_index=50, seed=7)
    wire = {"type": "G-1_x", "num_samples": 25, "start_index": 50, "seed": 7, "output_format": "files"}
    assert json.loads(message.to_json()) == wire


def test_the_predecessors_message_is_accepted() -> None:
    """Messages that were queued before an upgrade carry `"dedup": false` and nulls."""
    old = MINIMAL | {"start_index": 0, "seed": None, "output_format": "tar", "output_bucket": None}
    assert TaskMessage.model_validate(old | {"dedup": False}) == TaskMessage.model_validate(old)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_samples", 0),
        ("num_samples", -1),
        ("num_samples", 1001),
        ("num_samples", 2.5),
        ("start_index", -1),
        ("start_index", 2**31),
        ("seed", -1),
        ("seed", 2**32),
        ("seed", "x"),
        ("output_format", "zip"),
        ("output_bucket", "ab"),
        ("dedup", True),
        ("salt", -1),
        ("only_indices", []),
        ("require", ["frame.gif"]),
        ("dataset", "a/b"),
        ("python_hash_seed", -1),
        ("python_hash_seed", 2**32),
        ("python_hash_seed", "random"),
    ],
)
def test_a_value_outside_the_contract_is_refused_and_shown(field: str, value: object) -> None:
    """The refusal holds the field and the value, so that whoever wrote the message can find it."""
    with pytest.raises(ValidationError) as refused:
        TaskMessage.model_validate(MINIMAL | {field: value})
    shown = str(refused.value)
    assert field in shown or "frame.gif" in shown
    assert (value[0] if isinstance(value, list) and value else str(value)) in shown


@pytest.mark.parametrize("absent", ["type", "num_samples"])
def test_type_and_count_are_required(absent: str) -> None:
    """A message without them is no batch."""
    with pytest.raises(ValidationError, match=f"{absent}\n  Field required"):
        TaskMessage.model_validate({name: value for name, value in MINIMAL.items() if name != absent})


def test_a_misspelt_field_is_refused() -> None:
    """`start` for `start_index` would silently overwrite sample 0."""
    with pytest.raises(ValidationError, match="start\n  Extra inputs are not permitted"):
        TaskMessage.model_validate(MINIMAL | {"start": 100})


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "/a",
        "a\\b",
        "../a",
        "a..b",
        "-rf",
        ".hidden",
        "a\n",
        "a ",
        "a.",
        "ä",
        "a" * 201,
        "a\0",
    ],
)
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    """The generator's name becomes a folder and a part of a key."""
    with pytest.raises(ValidationError, match="not a safe name"):
        TaskMessage(type=name, num_samples=1)


@pytest.mark.parametrize(
    "name",
    [
        "O-41_nonogram_data-generator",
        "G-6_resize_object-data-generator",
        "O_48_sudoku_data_generator",
        "a b",
        "v1.2",
    ],
)
def test_names_of_real_generators_pass(name: str) -> None:
    """Names are opaque: any spelling in use is fine."""
    assert TaskMessage(type=name, num_samples=1).type == name


@pytest.mark.parametrize("index", [9, 15])
def test_indices_outside_the_batch_are_refused(index: int) -> None:
    """A replay can only store what its batch makes."""
    with pytest.raises(ValidationError, match=f"only_indices holds {index}, outside the batch 10-14"):
        TaskMessage(type="G-1_x", num_samples=5, start_index=10, only_indices=(12, index))


def test_a_message_is_a_value() -> None:
    """It cannot be changed after it was checked, and equal ones count as one."""
    message = TaskMessage(type="G-1_x", num_samples=5)
    with pytest.raises(ValidationError, match="frozen"):
        message.num_samples = 2000
    assert len({message, TaskMessage(type="G-1_x", num_samples=5)}) == 1


def test_every_cause_blames_either_the_generator_or_the_infrastructure() -> None:
    """Only what another seed or a smaller batch may cure changes them."""
    cured = {
        Cause.CRASH,
        Cause.WRONG_COUNT,
        Cause.TORN_SAMPLES,
        Cause.WRONG_GROUND_TRUTH,
        Cause.DEADLINE,
        Cause.MEMORY,
    }
    assert {cause for cause in Cause if cause.is_seeds_fault} == cured
