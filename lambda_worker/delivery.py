"""One attempt at one message."""

import threading
from dataclasses import dataclass, field

from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.seeds import python_hash_seed


@dataclass(frozen=True)
class Delivery:
    """One attempt at one message, the seed it runs under and the seconds it has.

    When `cancelled` is set, the batch ends at once and is left to somebody else.
    """

    message: TaskMessage
    seed: int
    attempt: int
    seconds: float
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def python_hash_seed(self) -> int:
        """PYTHONHASHSEED of the generator: as the message says, else as the seed gives it."""
        asked = self.message.python_hash_seed
        return python_hash_seed(self.seed) if asked is None else asked

    @property
    def wanted(self) -> tuple[int, ...]:
        """The indices to store."""
        return self.message.only_indices or tuple(range(*self.message.indices))
