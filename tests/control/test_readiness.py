"""What a run would meet on a deployed stack, with the next move."""

import pytest

from vbvrdatafactory.control.readiness import StackFacts, before_deploying, problems

GOOD = StackFacts(
    status="UPDATE_COMPLETE",
    mapping="Enabled",
    most_at_once=990,
    function="Active",
    memory_mb=1769,
    temp_mb=4096,
    quota=1000,
)


def test_a_good_stack_has_no_problem() -> None:
    """Nothing is said where nothing is wrong, nor of a quota that this identity may not read."""
    assert problems(GOOD) == []
    assert problems(GOOD._replace(quota=None, most_at_once=None)) == []


@pytest.mark.parametrize(
    ("facts", "said", "move"),
    [
        (StackFacts(), "the stack is not there", "cdk deploy"),
        (
            GOOD._replace(status="ROLLBACK_COMPLETE", reason="no image"),
            "ROLLBACK_COMPLETE (no image)",
            "cdk deploy",
        ),
        (GOOD._replace(function="Failed"), "the function is Failed", "cdk deploy"),
        (GOOD._replace(mapping="Disabled"), "mapping is Disabled, so nobody", "resume DATASET --workers"),
    ],
)
def test_what_stops_a_run(facts: StackFacts, said: str, move: str) -> None:
    """A stack, function or mapping that is not there or off stops it, and comes first."""
    first = problems(facts)[0]
    assert (first.stops, said in first.text, move in first.next_move) == (True, True, True)


def test_what_only_slows_a_run() -> None:
    """A quota below the mapping's maximum, and a small temp folder, are said with the context that fits."""
    found = problems(GOOD._replace(quota=100, temp_mb=512, mapping="Disabled"))
    assert [one.stops for one in found] == [True, False, False]
    assert "-c sqsMaxConcurrency=90" in found[1].next_move
    assert "-c ephemeralStorageMB=4096" in found[2].next_move


def test_before_a_first_deployment() -> None:
    """A new account's quota and memory are told before anything fails, with the context that fits."""
    quota, memory = before_deploying(10, memory_mb=4096, most_at_once=990)
    assert "-c sqsMaxConcurrency=8" in quota.next_move
    assert (memory.stops, "-c lambdaMemoryMB=1769" in memory.next_move) == (True, True)
    assert before_deploying(1000, memory_mb=1769, most_at_once=990) == []
