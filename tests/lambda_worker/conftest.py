import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from lambda_worker.batch import Worker
from lambda_worker.delivery import Delivery
from vbvrdatafactory.core.models import TaskMessage

TINY = Path(__file__).parents[1] / "data" / "tiny_generator"


@pytest.fixture
def generators(tmp_path: Path) -> Path:
    """A generators path of this test's own."""
    path = tmp_path / "generators"
    path.mkdir()
    return path


@pytest.fixture
def tiny(generators: Path) -> Callable[..., str]:
    """Adds a tiny generator that misbehaves as told; gives its name."""

    def add(name: str = "T-1_tiny_data-generator", **behaviour: object) -> str:
        shutil.copytree(TINY, generators / name, dirs_exist_ok=True)
        (generators / name / "behaviour.json").write_text(json.dumps(behaviour))
        return name

    return add


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def worker(generators: Path, store: MemoryStore) -> Worker:
    return Worker(generators, lambda *_: store)


@pytest.fixture
def deliver(worker: Worker) -> Callable[..., object]:
    """Processes one delivery of a message with these fields."""

    def process(attempt: int = 1, seconds: float = 30, **fields: object) -> object:
        message = TaskMessage.model_validate({"seed": 7, "num_samples": 4, **fields})
        return worker.process(Delivery(message, message.seed or 0, attempt, seconds))

    return process
