"""What the samples of a generator are by their content: as a receipt recorded them, and as the dataset asks for them."""

from collections.abc import Collection
from enum import IntEnum
from typing import NamedTuple

from vbvrdatafactory.core.ranges import IndexRange


class State(IntEnum):
    """What one whole sample is.

    RIGHT: every object is the one that a receipt recorded, and it was made as the dataset asks.
    UNPROVEN: an older receipt covers it, which does not say what was stored.
    ADOPTED: nobody recorded how it was made; `datafactory adopt` read it, and it has not changed since.
    STALE_SEED, STALE_CODE: as a receipt recorded it, but made with another seed, or other code or environment.
    FOREIGN: there, but nobody recorded it: put there by hand, by another program, or changed since.
    UNFINISHED: there, and not recorded, in a batch that was tried and not finished: a worker died after it stored it.
    """

    NOT_WHOLE = 0
    RIGHT = 1
    UNPROVEN = 2
    ADOPTED = 3
    STALE_SEED = 4
    STALE_CODE = 5
    FOREIGN = 6
    UNFINISHED = 7


# What a dataset has whatever its policy says of the rest.
ACCEPTED = frozenset({State.RIGHT, State.UNPROVEN, State.ADOPTED})
MISMATCHED = frozenset({State.STALE_SEED, State.STALE_CODE, State.FOREIGN})


class Contents(NamedTuple):
    """The state of each sample of one generator, one byte an index from 0 on."""

    states: bytes = b""

    def count(self, *states: State) -> int:
        """How many samples have one of these states."""
        return sum(self.states.count(state) for state in states)

    def present(self, among: Collection[State], within: IndexRange) -> bytes:
        """A byte for each index in `within`: 1 where the state is among these."""
        table = bytes(1 if value in among else 0 for value in range(256))
        return self.states[within.start : within.stop].translate(table).ljust(within.size, b"\0")

    def with_unfinished(self, tried: Collection[IndexRange]) -> "Contents":
        """The same, where samples that nobody recorded in ranges that were tried are unfinished ones."""
        states = bytearray(self.states)
        table = bytes(State.UNFINISHED if value == State.FOREIGN else value for value in range(256))
        for indices in tried:
            part = slice(indices.start, min(indices.stop, len(states)))
            states[part] = states[part].translate(table)
        return Contents(bytes(states))
