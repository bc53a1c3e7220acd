"""The state of a sample as people read it: the states of the ledger, and torn apart from missing."""

import polars as pl

from vbvrdatafactory.planning.contents import State

TORN = max(State) + 1
# By the byte that stands for it.
WORDS = {
    **{state.value: state.name.lower().replace("_", "-") for state in State},
    State.NOT_WHOLE.value: "missing",
    TORN: "torn",
}
CODES = {word: code for code, word in WORDS.items()}
# Whose samples are nobody's worry.
QUIET = (State.RIGHT, State.ADOPTED)

_INDEX = r"_([0-9]{1,12})/[^/]*$"


def tell_torn(states: bytes, listed: pl.DataFrame) -> bytes:
    """The same states, with `TORN` where some files of a sample that is not whole are there.

    Args:
        states: one byte for each index.
        listed: the generator's objects: key and size.
    """
    if State.NOT_WHOLE not in states:
        return states
    found = listed.lazy().filter(pl.col("size") > 0).select(pl.col("key").str.extract(_INDEX).cast(pl.Int64))
    told = bytearray(states)
    for index in found.drop_nulls().unique().collect()["key"]:
        if index < len(told) and told[index] == State.NOT_WHOLE:
            told[index] = TORN
    return bytes(told)
