"""One attempt at one message."""

import threading
import time
from dataclasses import dataclass, field

from vbvrdatafactory.core.models import TaskMessage
from vbvrdatafactory.core.seeds import python_hash_seed


@dataclass(frozen=True)
class Delivery:
    """One attempt at one message.

    Args:
        message: the batch.
        seed: the seed to run it under.
        attempt: which receive of the message this is, from 1 on.
        seconds: what it may take.
        cancelled: when it is set, the batch ends at once, and another worker makes it.
        began: when it began, by the monotonic clock.
    """

    message: TaskMessage
    seed: int
    attempt: int
    seconds: float
    cancelled: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds_left(self) -> float:
        """What is left of the time that it may take."""
        return self.began + self.seconds - time.monotonic()

    @property
    def python_hash_seed(self) -> int:
        """PYTHONHASHSEED of the generator: the message's, else the one derived from the seed."""
        asked = self.message.python_hash_seed
        return python_hash_seed(self.seed) if asked is None else asked

    @property
    def wanted(self) -> tuple[int, ...]:
        """The indices to upload."""
        return self.message.only_indices or tuple(range(*self.message.indices))
