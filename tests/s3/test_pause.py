"""Pausing as data."""

from datetime import UTC, datetime

import obstore
import pytest
from obstore.store import MemoryStore

from vbvrdatafactory.control.pause import PauseState
from vbvrdatafactory.core import keys
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.s3.pause import read_pause, write_pause

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def test_what_is_wanted_is_read_as_it_was_written() -> None:
    """And where nobody wants anything, nothing is."""
    store, wanted = MemoryStore(), PauseState(paused=True, reason="lunch", by="ann@host", at=NOON)
    assert read_pause(store, "d") is None
    write_pause(store, "d", wanted)
    assert read_pause(store, "d") == wanted


def test_a_pause_says_who_and_why() -> None:
    """For the log of a run that stands still."""
    assert str(PauseState(paused=True, reason="lunch", by="ann", at=NOON)) == (
        "paused by ann at 2026-01-15 12:00:00 UTC: lunch"
    )
    assert str(PauseState(paused=False, at=NOON)) == "resumed at 2026-01-15 12:00:00 UTC"


def test_a_file_that_is_something_else_names_its_key() -> None:
    """A slip of a hand in the bucket is told, not passed over."""
    store = MemoryStore()
    obstore.put(store, keys.pause_state("d"), b"{}")
    with pytest.raises(DataFactoryError, match=r"datasets/d/control\.json is no PauseState"):
        read_pause(store, "d")
