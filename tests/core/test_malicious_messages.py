"""Whatever somebody puts into a message's body, it is a message or a named error; nothing else comes of it."""

import json

import pytest

from vbvrdatafactory.core.errors import NewerSchemaError
from vbvrdatafactory.core.models import MAX_SALT, TaskMessage

GOOD = {"type": "G", "num_samples": 2}


def body(**fields: object) -> str:
    return json.dumps({**GOOD, **fields})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Expecting value"),
        ("[]", "should be"),
        ("null", "should be"),
        ("[" * 100_000, "nested too deeply"),
        ('{"type": "G", "num_samples": 2, "num_samples": 3}', "'num_samples' is said twice"),
        ('{"type": "G", "num_samples": NaN}', "NaN is no number"),
        ('{"type": "G", "num_samples": Infinity}', "Infinity is no number"),
        (body(num_samples="2"), "num_samples"),
        (body(num_samples=True), "num_samples"),
        (body(num_samples=2.0), "num_samples"),
        (body(num_samples=10**30), "num_samples"),
        (body(num_samples=0), "num_samples"),
        (body(start_index="0"), "start_index"),
        (body(start_index=-1), "start_index"),
        (body(start_index=False), "start_index"),
        (body(seed="7"), "seed"),
        (body(seed=-1), "seed"),
        (body(salt=MAX_SALT + 1), "salt"),
        (body(salt=True), "salt"),
        (body(only_indices=["0"]), "only_indices"),
        (body(only_indices=[7]), "outside the batch"),
        (body(type="../../etc"), "not a safe name"),
        (body(type="a/b"), "not a safe name"),
        (body(type="a\x00b"), "not a safe name"),
        (body(type="-rf"), "not a safe name"),
        (body(type="x" * 10_000), "not a safe name"),
        (body(type="\u202egnp"), "not a safe name"),
        (body(type=["G"]), "type"),
        (body(output_format="zip"), "output_format"),
        (body(output_bucket="a"), "output_bucket"),
        (body(dataset="../x"), "not a safe name"),
        (body(output_prefix="../x"), "is no prefix"),
        (body(output_prefix="a//b"), "is no prefix"),
        (body(output_prefix="/a"), "is no prefix"),
        (body(output_prefix="a/"), "is no prefix"),
        (body(output_prefix="a/b/" * 80), "is no prefix"),
        (body(output_prefix="_datafactory/datasets"), "is no prefix"),
        (body(output_prefix="questions/G"), "lies within"),
        (body(output_prefix=["a"]), "output_prefix"),
        (body(require=["../x"]), "no sample has a file"),
        (body(sart_index=4), "sart_index"),
        (body(python_hash_seed="1"), "python_hash_seed"),
    ],
)
def test_it_is_a_named_error(text: str, says: str) -> None:
    """Wrong JSON, wrong types, names that are paths, numbers out of range, what is said twice, and what nobody knows."""
    with pytest.raises(ValueError, match=".") as wrong:
        TaskMessage.parse(text)
    assert says in str(wrong.value)


def test_a_newer_message_is_left_alone() -> None:
    """It is no invalid one."""
    with pytest.raises(NewerSchemaError):
        TaskMessage.parse(body(schema_version=4, of_tomorrow=1))


def test_what_was_sent_is_what_is_taken() -> None:
    """Every message that the factory writes is read as it was."""
    message = TaskMessage(
        type="G 1",
        num_samples=9,
        start_index=4,
        seed=7,
        salt=2,
        only_indices=(5, 6),
        require=("ground_truth.mp4",),
        output_prefix="train/v2",
    )
    assert TaskMessage.parse(message.to_json()) == message
