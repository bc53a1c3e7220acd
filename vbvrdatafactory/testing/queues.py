"""A standard queue of SQS as a value that changes: what is waiting, in flight or delayed at a moment.

Times are seconds of whatever clock the caller reads, and are passed in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4


@dataclass
class Message:
    """A message in a queue.

    Args:
        body: what was sent.
        sent_at: when; it stays the same in a dead letter queue.
        visible_at: until then nobody receives it.
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
        visibility_seconds: how long a received message is hidden where the receive does not say.
        delay_seconds: how long a sent message is hidden where the send does not say.
        max_receives: receives after which a message goes to `dead_letters` instead; None for no end.
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
        """Take a message in."""
        delay = self.delay_seconds if delay_seconds is None else delay_seconds
        sent = Message(body, now, now + delay, attributes)
        self.messages[sent.message_id] = sent
        return sent

    def receive(self, now: float, *, at_most: int, hidden_seconds: float | None) -> list[Message]:
        """The oldest that can be received, hidden from now on; those received too often are moved away first."""
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
        """Move a message that was received too often to the dead letter queue; whether it was."""
        if self.dead_letters is None or self.max_receives is None or message.receives < self.max_receives:
            return False
        del self.messages[message.message_id]
        message.handle, message.visible_at = "", now
        self.dead_letters.messages[message.message_id] = message
        return True

    def held(self, handle: str) -> Message | None:
        """The message whose latest receive gave `handle`; None where it is gone or was received again."""
        return next((each for each in self.messages.values() if handle and each.handle == handle), None)

    def delete(self, handle: str) -> None:
        """Remove the message that `handle` stands for; nothing where it is gone or was received again."""
        if message := self.held(handle):
            del self.messages[message.message_id]

    def waiting(self, now: float) -> Iterator[Message]:
        """Those that can be received."""
        return (each for each in self.messages.values() if each.visible_at <= now)

    def in_flight(self, now: float) -> Iterator[Message]:
        """Those that were received and are hidden."""
        return (each for each in self.messages.values() if each.visible_at > now and each.handle)

    def delayed(self, now: float) -> Iterator[Message]:
        """Those that nobody could receive yet."""
        return (each for each in self.messages.values() if each.visible_at > now and not each.handle)
