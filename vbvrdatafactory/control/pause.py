"""Whether a dataset is paused: a record in the bucket that its runs read at every poll."""

from datetime import datetime

from pydantic import ConfigDict

from vbvrdatafactory.core.schema import Versioned


class PauseState(Versioned):
    """Whether the runs of a dataset are paused. A paused run sends nothing; messages in flight go on.

    Args:
        paused: whether runs are paused.
        workers: whether the queue's event source mappings were disabled too, and not enabled since.
        reason: given by the person who paused.
        by: that person and machine.
        at: when this was written.
    """

    model_config = ConfigDict(frozen=True)

    paused: bool
    workers: bool = False
    reason: str = ""
    by: str = ""
    at: datetime

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        who = f" by {self.by}" if self.by else ""
        return f"{'paused' if self.paused else 'resumed'}{who} at {self.at:%Y-%m-%d %H:%M:%S %Z}{why}"
