"""Samples with the content of others, where distinct ones are required."""

from vbvrdatafactory.ledger.copies import with_copies_told
from vbvrdatafactory.ledger.rows import table
from vbvrdatafactory.planning.contents import Contents, State
from vbvrdatafactory.planning.distinct import TRIES


def rows_of(digests: str, salts: dict[int, int] | None = None):
    return table(
        {"index": index, "digest": digest, "salt": (salts or {}).get(index, 0)}
        for index, digest in enumerate(digests)
    )


def states(
    digests: str, salts: dict[int, int] | None = None, others: dict[int, State] | None = None
) -> list[State]:
    before = bytearray([State.RIGHT] * len(digests))
    for index, state in (others or {}).items():
        before[index] = state
    return [
        State(value) for value in with_copies_told(Contents(bytes(before)), rows_of(digests, salts)).states
    ]


def test_the_first_of_each_content_stays_right() -> None:
    """All later ones are copies."""
    assert states("abacb") == [State.RIGHT, State.RIGHT, State.COPY, State.RIGHT, State.COPY]


def test_only_right_samples_count() -> None:
    """A foreign one is neither a copy nor what others are copies of."""
    assert states("aabc", others={0: State.FOREIGN}) == [State.FOREIGN, *[State.RIGHT] * 3]


def test_a_copy_is_made_again_so_often() -> None:
    """Then it is the last copy, and no gap any more."""
    assert states("abca", {3: TRIES - 1})[3] is State.COPY
    assert states("abca", {3: TRIES})[3] is State.LAST_COPY


def test_a_generator_that_has_no_more_is_not_asked_again() -> None:
    """Where hardly a content was seen once, a further sample would be a copy too."""
    assert states("ab" * 20).count(State.LAST_COPY) == 38
    assert states("ab" * 3 + "cdefghijk").count(State.LAST_COPY) == 0
