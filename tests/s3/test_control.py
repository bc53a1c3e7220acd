"""Pausing as data."""

from datetime import UTC, datetime

import obstore
import pytest
from obstore.store import MemoryStore

from vbvrdatafactory.core import keys
from vbvrdatafactory.core.control import Control
from vbvrdatafactory.core.errors import DataFactoryError
from vbvrdatafactory.s3.control import read_control, write_control

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def test_what_is_wanted_is_read_as_it_was_written() -> None:
    """And where nobody wants anything, nothing is."""
    store, wanted = MemoryStore(), Control(paused=True, reason="lunch", by="ann@host", at=NOON)
    assert read_control(store, "d") is None
    write_control(store, "d", wanted)
    assert read_control(store, "d") == wanted


def test_a_pause_says_who_and_why() -> None:
    """For the log of a run that stands still."""
    assert str(Control(paused=True, reason="lunch", by="ann", at=NOON)) == (
        "paused by ann at 2026-01-15 12:00:00 UTC: lunch"
    )
    assert str(Control(paused=False, at=NOON)) == "resumed at 2026-01-15 12:00:00 UTC"


def test_a_file_that_is_something_else_names_its_key() -> None:
    """A slip of a hand in the bucket is told, not passed over."""
    store = MemoryStore()
    obstore.put(store, keys.control("d"), b"{}")
    with pytest.raises(DataFactoryError, match=r"datasets/d/control\.json is no Control"):
        read_control(store, "d")
