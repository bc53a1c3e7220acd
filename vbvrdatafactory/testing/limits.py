"""The limits of SQS, with its error codes."""

from collections.abc import Iterable, Sequence

MOST_ENTRIES = 10
MOST_BYTES = 1024 * 1024
LONGEST_HIDDEN_SECONDS = 12 * 3600


class RefusedError(Exception):
    """An error response of SQS.

    Args:
        code: the error code, e.g. ``AWS.SimpleQueueService.NonExistentQueue``.
        why: the message.
    """

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def check_entries(ids: Sequence[str]) -> None:
    """A batch has one to ten entries with distinct ids."""
    if not ids:
        raise RefusedError("AWS.SimpleQueueService.EmptyBatchRequest", "the batch has no entry")
    if len(ids) > MOST_ENTRIES:
        raise RefusedError(
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            f"{len(ids)} entries, {MOST_ENTRIES} may be",
        )
    if len(set(ids)) < len(ids):
        raise RefusedError("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", f"an id is there twice: {ids}")


def check_size(bodies: Iterable[str], code: str) -> None:
    """A batch has at most 1 MiB."""
    size = sum(len(body.encode()) for body in bodies)
    if size > MOST_BYTES:
        raise RefusedError(code, f"{size} bytes are more than {MOST_BYTES}")


def check_body(body: str) -> None:
    """A body has at least one character, and only characters that XML allows."""
    if not body:
        raise RefusedError("MissingParameter", "the body is empty")
    strange = next((character for character in body if not _is_taken(character)), None)
    if strange is not None:
        raise RefusedError("InvalidMessageContents", f"the body has the character {strange!r}")


def _is_taken(character: str) -> bool:
    return (
        character in "\t\n\r" or " " <= character <= "\ud7ff" or "\ue000" <= character not in "\ufffe\uffff"
    )


def check_hidden(seconds: int) -> None:
    """A visibility timeout is at most twelve hours."""
    if not 0 <= seconds <= LONGEST_HIDDEN_SECONDS:
        raise RefusedError("InvalidParameterValue", f"VisibilityTimeout is {seconds} s, 0 to 43200 may be")


def check_count(count: int) -> None:
    """A receive returns one to ten messages."""
    if not 1 <= count <= MOST_ENTRIES:
        raise RefusedError(
            "InvalidParameterValue", f"MaxNumberOfMessages is {count}, 1 to {MOST_ENTRIES} may be"
        )
