"""What the samples of a generator are by their content: as a receipt recorded them, and as the dataset asks for them."""

import re
from collections.abc import Collection
from enum import IntEnum
from typing import NamedTuple

from vbvrdatafactory.core.ranges import IndexRange

_RUN = re.compile(rb"\x01+")


class State(IntEnum):
    """What one whole sample is.

    RIGHT: every object is the one that a receipt recorded, and it was made as the dataset asks.
    UNPROVEN: an older receipt covers it, which does not say what was stored.
    ADOPTED: nobody recorded how it was made; `datafactory adopt` read it, and it has not changed since.
    STALE_SEED, STALE_CODE: as a receipt recorded it, but made with another seed, or other code or environment.
    FOREIGN: there, but nobody recorded it: put there by hand, by another program, or changed since.
    UNFINISHED: there, and not recorded, in a batch that was tried and not finished: a worker died after it stored it.
    COPY: as RIGHT, but with the content of an earlier sample, where the dataset requires distinct ones.
    LAST_COPY: as COPY, and not made again: its generator has no more to give, as far as can be told.
    """

    NOT_WHOLE = 0
    RIGHT = 1
    UNPROVEN = 2
    ADOPTED = 3
    STALE_SEED = 4
    STALE_CODE = 5
    FOREIGN = 6
    UNFINISHED = 7
    COPY = 8
    LAST_COPY = 9


# What a dataset has whatever its policy says of the rest.
ACCEPTED = frozenset({State.RIGHT, State.UNPROVEN, State.ADOPTED})
MISMATCHED = frozenset({State.STALE_SEED, State.STALE_CODE, State.FOREIGN})


class Contents(NamedTuple):
    """The state of each sample of one generator, one byte an index from 0 on."""

    states: bytes = b""

    def count(self, *states: State) -> int:
        """How many samples have one of these states."""
        return sum(self.states.count(state) for state in states)

    def ranges(self, *states: State, within: IndexRange | None = None) -> tuple[IndexRange, ...]:
        """The ranges of samples that have one of these states; beyond the end all are `NOT_WHOLE`.

        >>> Contents(bytes([1, 6, 6, 1])).ranges(State.FOREIGN, State.NOT_WHOLE, within=IndexRange(0, 6))
        (IndexRange(start=1, stop=3), IndexRange(start=4, stop=6))
        """
        start, stop = within or (0, len(self.states))
        table = bytes(1 if value in states else 0 for value in range(256))
        found = self.states[start:stop].ljust(stop - start, bytes([State.NOT_WHOLE])).translate(table)
        return tuple(IndexRange(start + run.start(), start + run.end()) for run in _RUN.finditer(found))

    def with_unfinished(self, tried: Collection[IndexRange]) -> "Contents":
        """The same, where samples that nobody recorded in ranges that were tried are unfinished ones."""
        states = bytearray(self.states)
        table = bytes(State.UNFINISHED if value == State.FOREIGN else value for value in range(256))
        for indices in tried:
            part = slice(indices.start, min(indices.stop, len(states)))
            states[part] = states[part].translate(table)
        return Contents(bytes(states))
