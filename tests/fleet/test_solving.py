"""The fewest environments that uv finds a solution for."""

import pytest

from vbvrdatafactory.fleet.solving import Asking, Solver, versions
from vbvrdatafactory.fleet.uv import Uv

PLATFORM = "x86_64-manylinux_2_28"


@pytest.fixture
def solver(index) -> Solver:
    return Solver(Uv("3.11", PLATFORM).resolve)


def solved(solver: Solver, *askings: Asking) -> list[dict[str, str]]:
    return [versions(text) for text, _ in solver.solve(dict.fromkeys(askings, 1)).environments]


def test_equal_and_compatible_sets_share(solver: Solver) -> None:
    """Two pins that meet in a third set are one environment, and a range takes what its neighbour pins."""
    found = solved(solver, ("numpy==1.26.4",), ("numpy>=1.20", "pillow"), ("pillow==10.4.0",))
    assert found == [{"numpy": "1.26.4", "pillow": "10.4.0"}]


def test_pins_that_differ_are_apart(solver: Solver) -> None:
    """Two pins of one distribution are two environments, and what says so is kept."""
    solution = solver.solve({("numpy==1.26.4",): 5, ("numpy==2.0.0",): 1})
    assert [versions(text) for text, _ in solution.environments] == [{"numpy": "1.26.4"}, {"numpy": "2.0.0"}]
    assert [*solution.apart.values()] == ["numpy==1.26.4 against numpy==2.0.0"]
    assert solution.is_fewest


def test_a_hidden_conflict_is_found(solver: Solver) -> None:
    """What only a dependency excludes is apart too, and nothing else is."""
    found = solved(solver, ("olden",), ("numpy==2.4.6",), ("pillow==10.4.0",), ("pillow", "numpy>=1"))
    assert len(found) == 2
    assert {one["numpy"] for one in found} == {"1.26.4", "2.4.6"}


def test_rivals_are_apart(solver: Solver) -> None:
    """Two builds of OpenCV, which uv would install over each other, are never together."""
    found = solved(solver, ("opencv-python-headless",), ("opencv-contrib-python-headless",))
    assert [len([name for name in one if name.startswith("opencv")]) for one in found] == [1, 1]


def test_rivals_that_are_learnt_are_apart(solver: Solver) -> None:
    """Two distributions that were seen to install one module are put apart from then on."""
    assert len(solved(solver, ("twin-a",), ("twin-b",))) == 1
    solver.add_rivals(("twin-a", "twin-b"))
    assert len(solved(solver, ("twin-a",), ("twin-b",))) == 2


def test_what_has_no_solution_is_said_and_the_rest_goes_on(solver: Solver) -> None:
    """A set that can't be had at all has uv's reason, and the others their environment."""
    solution = solver.solve({("no-such-thing==1",): 1, ("numpy",): 1})
    assert "no-such-thing" in solution.unsolved["no-such-thing==1",]
    assert [versions(text) for text, _ in solution.environments] == [{"numpy": "2.4.6"}]


def test_versions_stay(index) -> None:
    """What was locked before stays, though a newer version is there."""
    uv = Uv("3.11", PLATFORM)
    before = uv.resolve(["numpy==2.0.0"]).text
    found = Solver(uv.resolve, lambda _: before).solve({("numpy>=2", "pillow"): 1})
    assert versions(found.environments[0][0])["numpy"] == "2.0.0"


def test_the_lock_names_hashes_and_no_host(index) -> None:
    """Every line has its hashes; no address, no path, no time."""
    text = Uv("3.11", PLATFORM).resolve(["opencv-python-headless"]).text
    assert text.count("==") == 2
    assert text.count("--hash=sha256:") >= 2
    assert "://" not in text
    assert str(index) not in text
