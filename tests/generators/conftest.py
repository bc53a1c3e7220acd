"""Samples that several tests look at are made once."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.generators.program import ALL, PUZZLE, Program, Variant

SEED, COUNT = 42, 3

VARIANTS = {
    "bare": ("--num-samples", "1", "--seed", "42", "--no-videos"),
    "small": ("--num-samples", "1", "--seed", "42", "--image-size", "64"),
    "unseeded": ("--num-samples", "1", "--no-videos"),
    "neighbour": ("--num-samples", "2", "--seed", "43", "--no-videos"),
}


@pytest.fixture(params=ALL, ids=lambda program: program.task)
def program(request: pytest.FixtureRequest) -> Program:
    parameter: Program = request.param
    return parameter


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Program], list[Path]]:
    """Three samples of a generator at its default size."""
    return cache(lambda program: program.make(tmp_path_factory.mktemp(program.task), COUNT, SEED))


@pytest.fixture(scope="session")
def again(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Program], list[Path]]:
    """Two samples under the same seed, made under another hash seed on one thread."""
    environment = {"PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "1"}
    return cache(lambda program: program.make(tmp_path_factory.mktemp("again"), 2, SEED, **environment))


@pytest.fixture(scope="session")
def variants(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Program], dict[str, Variant]]:
    """One or two samples for each option, all from one process a generator."""

    @cache
    def run(program: Program) -> dict[str, Variant]:
        folders = {name: tmp_path_factory.mktemp(name) for name in VARIANTS}
        runs = program.run_each([program.command(folders[n], *options) for n, options in VARIANTS.items()])
        return {
            name: Variant(program.samples(folders[name]), done.stdout)
            for name, done in zip(VARIANTS, runs, strict=True)
        }

    return run


@pytest.fixture
def variant(program: Program, variants: Callable[[Program], dict[str, Variant]]) -> dict[str, Variant]:
    return variants(program)


@pytest.fixture(scope="session")
def puzzles() -> Callable[[Program], list[dict[str, Any]]]:
    """Many puzzles of a generator, as data; more of the one that repeats itself sometimes."""
    return cache(lambda program: program.puzzles(2000 if program is PUZZLE else 600))


@pytest.fixture
def samples(program: Program, made: Callable[[Program], list[Path]]) -> list[Path]:
    return made(program)
