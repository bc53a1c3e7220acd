"""Long runs, made by `make soak` (``pytest -m soak``) and by nothing else."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

MARKER = "soak"


def _load_torture() -> ModuleType:
    """The arena of the torture suite; conftest files can't import each other by name."""
    path = Path(__file__).parents[1] / "torture" / "conftest.py"
    spec = importlib.util.spec_from_file_location("torture_arena", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_torture = _load_torture()
arena = _torture.arena
prepared = _torture._prepared


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
