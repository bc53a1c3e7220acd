"""The predecessor's scripts, with the options its users type."""

import runpy
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.recorded import put_recorded

SCRIPTS = Path(__file__).parents[2] / "scripts"
MAZE = "G-3_maze_data-generator"


@pytest.fixture
def run_script(place):
    """Runs a script against a bucket and queues of the test's own, which the environment names."""
    assert place

    def run(name: str, *options: str) -> Result:
        main = runpy.run_path(str(SCRIPTS / f"{name}.py"))["main"]
        return CliRunner().invoke(main, options)

    return run


def test_submit_sends_what_is_missing(run_script, place) -> None:
    """`scripts/submit.py -g NAME -n 5 -b 2` sends just the batches that the bucket lacks."""
    put_recorded(place.store, MAZE, range(2), seed=7)
    result = run_script("submit", "-g", MAZE, "-n", "5", "-b", "2", "-s", "7", "--output-format", "tar")
    assert "Sent 2 messages for 3 samples" in result.output
    assert result.exit_code == 0


def test_submit_has_the_batches_of_the_predecessor(run_script) -> None:
    """Left alone, a message has 100 samples there, of 10,000 for each generator."""
    result = run_script("submit", "--generator", "all", "--dry-run")
    assert "would send 300 messages for 30,000 samples" in result.output


def test_submit_can_have_the_seeds_of_the_predecessor(run_script, place) -> None:
    """With `--legacy-seeds` the messages are those that the predecessor sent: seed + number of the batch."""
    assert (
        run_script("submit", "-g", "all", "-n", "25", "-b", "10", "-s", "7", "--legacy-seeds").exit_code == 0
    )
    sent = Counter((m["start_index"], m["num_samples"], m["seed"]) for m in place.messages())
    assert sent == {(0, 10, 7): 3, (10, 10, 8): 3, (20, 5, 9): 3}


def test_dedup_is_explained(run_script) -> None:
    """An option that is not there any more says why, and what there is instead."""
    result = run_script("submit", "-g", "all", "--dedup")
    assert result.exit_code == 2
    assert "leave it out: reports count distinct samples" in result.output


def test_monitor_shows_the_queues(run_script) -> None:
    """`scripts/monitor.py` shows both queues."""
    result = run_script("monitor", "-i", "1")
    assert "dead letters" in result.output
    assert result.exit_code == 0
