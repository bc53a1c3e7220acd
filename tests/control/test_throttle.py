"""Costly looks take a twentieth of the time at the most."""

from vbvrdatafactory.control.throttle import Throttle


def test_the_first_time_is_at_once() -> None:
    """Nothing is known before."""
    assert Throttle(15).is_due(0.0)


def test_a_cheap_look_comes_at_the_pace_that_was_asked_for() -> None:
    """A tenth of a second is worth it every 15 seconds."""
    cadence = Throttle(15)
    cadence.took(0.0, 0.1)
    assert (cadence.is_due(15.0), cadence.is_due(15.2)) == (False, True)


def test_a_costly_look_comes_seldom() -> None:
    """A look of a minute comes again after 20 minutes."""
    cadence = Throttle(15)
    cadence.took(0.0, 60.0)
    assert (cadence.is_due(60 + 1199.0), cadence.is_due(60 + 1200.0)) == (False, True)
