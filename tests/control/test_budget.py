"""The budget of failures: when a run is hopeless."""

import pytest

from vbvrdatafactory.control.budget import Budget
from vbvrdatafactory.planning.evidence import Outcomes


@pytest.mark.parametrize(
    ("most", "failed", "overspent"),
    [(None, 500, False), (3, 3, False), (3, 4, True), (0, 0, False), (0, 1, True)],
)
def test_so_many_failures_may_be(most: int | None, failed: int, overspent: bool) -> None:
    """As many batches may fail as are allowed; one more ends the run."""
    assert (Budget(most, 100).overspent(Outcomes(1000, failed)) is not None) is overspent


@pytest.mark.parametrize(
    ("made", "failed", "overspent"),
    [(0, 19, False), (10, 10, False), (9, 11, True), (0, 20, True), (999, 1, False)],
)
def test_a_share_of_failures_may_be(made: int, failed: int, overspent: bool) -> None:
    """Half of what finished may fail, and fewer than twenty batches are not judged."""
    assert (Budget().overspent(Outcomes(made, failed)) is not None) is overspent


def test_all_may_fail_where_all_are_allowed() -> None:
    """A hundred percent is no limit."""
    assert Budget(None, 100).overspent(Outcomes(0, 1000)) is None


def test_a_person_is_told_the_counts_and_the_limit() -> None:
    """The line has both."""
    assert Budget(10).overspent(Outcomes(5, 1100)) == "1,100 batches failed, at most 10 may fail"
    assert (
        Budget(None, 25).overspent(Outcomes(60, 40))
        == "40 of 100 finished batches failed, at most 25 % may fail"
    )
