"""What people want of a run while it is under way: data in the bucket, which it reads again and again."""

from datetime import datetime

from pydantic import ConfigDict

from vbvrdatafactory.core.schema import Versioned


class PauseState(Versioned):
    """Whether a dataset's run is to pause, since when, and who wants it so.

    A paused run sends nothing new; what is in flight goes on. `workers` says that the queue's Lambda was told to take no
    messages, and nobody told it otherwise since.
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
