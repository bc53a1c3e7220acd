"""The examples in docstrings are run: a reader copies them."""

import doctest
import importlib
import tomllib
from pathlib import Path

import pytest

ROOMS = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
MODULES = [
    ".".join(path.with_suffix("").parts)
    for room in ROOMS["root_packages"]
    for path in sorted(Path(room).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


def test_there_are_examples() -> None:
    """They are found wherever they stand."""
    assert {"vbvrdatafactory.core.ranges", "lambda_worker.generator.output_option"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_every_example_gives_what_its_docstring_says(name: str) -> None:
    """What is shown is what comes out, on every run and in any order of a set."""
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.attempted
    assert outcome.failed == 0
