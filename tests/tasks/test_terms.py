import pytest

from tasks.terms import Patience


@pytest.mark.parametrize("poll", [0.0, -1.0])
def test_a_queue_is_never_polled_without_pause(poll: float) -> None:
    """However small a pause is asked for, there is one."""
    assert Patience.of(poll, 1).poll_seconds > 0
