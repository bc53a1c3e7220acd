"""A standard SQS queue in memory: the messages that are waiting, in flight or delayed at a given time.

Times are seconds of the caller's clock, and are passed in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4


@dataclass
class Message:
    """A message in a queue.

    Args:
        body: its body.
        sent_at: when it was sent; unchanged in a dead letter queue.
        visible_at: when it can be received.
        attributes: message attributes, as they were sent.
        receives: how often it was received, here or in the queue that it was moved from.
        handle: the receipt handle of the latest receive; empty before the first.
    """

    body: str
    sent_at: float
    visible_at: float
    attributes: Mapping[str, Any] = field(default_factory=dict)
    receives: int = 0
    first_received_at: float = 0.0
    handle: str = ""
    message_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass
class Queue:
    """The messages of one queue, the oldest first.

    Args:
        name: its name.
        visibility_seconds: default visibility timeout.
        delay_seconds: default delay of a sent message.
        max_receives: receives after which a message is moved to `dead_letters`; None for no limit.
    """

    name: str
    visibility_seconds: float = 30.0
    delay_seconds: float = 0.0
    max_receives: int | None = None
    dead_letters: "Queue | None" = None
    messages: dict[str, Message] = field(default_factory=dict)

    def send(
        self, body: str, now: float, *, delay_seconds: float | None, attributes: Mapping[str, Any]
    ) -> Message:
        """Add a message."""
        delay = self.delay_seconds if delay_seconds is None else delay_seconds
        sent = Message(body, now, now + delay, attributes)
        self.messages[sent.message_id] = sent
        return sent

    def receive(self, now: float, *, at_most: int, hidden_seconds: float | None) -> list[Message]:
        """The oldest messages that can be received, hidden from now on; those received too often are moved first."""
        hidden = self.visibility_seconds if hidden_seconds is None else hidden_seconds
        received: list[Message] = []
        for message in [each for each in self.messages.values() if each.visible_at <= now]:
            if len(received) == at_most:
                break
            if not self._give_up(message, now):
                message.receives += 1
                message.first_received_at = message.first_received_at or now
                message.visible_at = now + hidden
                message.handle = str(uuid4())
                received.append(message)
        return received

    def _give_up(self, message: Message, now: float) -> bool:
        """Move a message that was received too often to the dead letter queue; returns whether it was moved."""
        if self.dead_letters is None or self.max_receives is None or message.receives < self.max_receives:
            return False
        del self.messages[message.message_id]
        message.handle, message.visible_at = "", now
        self.dead_letters.messages[message.message_id] = message
        return True

    def held(self, handle: str) -> Message | None:
        """The message with the receipt handle `handle`; None where it was deleted or received again."""
        return next((each for each in self.messages.values() if handle and each.handle == handle), None)

    def delete(self, handle: str) -> None:
        """Delete the message with the receipt handle `handle`; nothing where it was deleted or received again."""
        if message := self.held(handle):
            del self.messages[message.message_id]

    def waiting(self, now: float) -> Iterator[Message]:
        """Messages that can be received."""
        return (each for each in self.messages.values() if each.visible_at <= now)

    def in_flight(self, now: float) -> Iterator[Message]:
        """Messages in flight: received, and hidden."""
        return (each for each in self.messages.values() if each.visible_at > now and each.handle)

    def delayed(self, now: float) -> Iterator[Message]:
        """Delayed messages, which can't be received yet."""
        return (each for each in self.messages.values() if each.visible_at > now and not each.handle)
