"""Long runs, made by `make soak` (``pytest -m soak``) and by nothing else."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from infra.child import child_environment
from infra.local import EmbeddedAws
from tests.soak.door import Door

MARKER = "soak"


def _load(suite: str) -> ModuleType:
    """The fixtures of another suite; conftest files can't import each other by name."""
    path = Path(__file__).parents[1] / suite / "conftest.py"
    spec = importlib.util.spec_from_file_location(f"fixtures_of_{suite}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_torture, _integration = _load("torture"), _load("integration")
arena = _torture.arena
prepared = _torture._prepared
prefect_server = _integration.prefect_server


class Yard(NamedTuple):
    """The factory that a test of whole runs has to itself: what flows reach by its door, workers reach directly."""

    factory: Any
    door: Door
    environment: dict[str, str]
    logs: Path


@pytest.fixture
def yard(request: pytest.FixtureRequest, prefect_server: str, tmp_path: Path) -> Iterator[Yard]:
    """An embedded AWS, a Prefect server that outlives every flow, and a door between.

    Its parameter is how many batches are made at a time; without one, as many as there are processors.
    """
    at_a_time: int | None = getattr(request, "param", None)
    generators = tmp_path / "generators"
    generators.mkdir()
    with EmbeddedAws(tmp_path / "state", generators, concurrency=at_a_time).running() as info:
        function, mapping = info.function_name, info.event_source_mapping_id
        factory = _integration.Factory(info.config, info.env_file, generators, function, mapping)
        with Door(info.endpoint, info.queue_url).open() as door:
            environment = child_environment(os.environ, info)
            environment |= {"AWS_ENDPOINT_URL": door.url, "PREFECT_API_URL": prefect_server}
            yield Yard(factory, door, environment, tmp_path)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}: takes minutes; run by `make soak` only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A run that does not ask for the marker leaves these tests out."""
    if MARKER in config.getoption("markexpr"):
        return
    here = [item for item in items if Path(item.path).parent == Path(__file__).parent]
    if here:
        config.hook.pytest_deselected(items=here)
        items[:] = [item for item in items if item not in here]
