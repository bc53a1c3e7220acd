"""The whole path on this machine: the committed stack on the embedded AWS, the real handler, a real Prefect server."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from obstore.store import ObjectStore
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from flows.ending import DatasetIncomplete
from flows.generate_dataset import generate_dataset
from infra.local import EmbeddedAws
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config, config
from vbvrdatafactory.planning.inventory import Inventory
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.s3.listing import take_inventory

TINY = Path(__file__).parents[1] / "data" / "tiny_generator"
# What the function may take: more than any batch does that hangs in no test, however busy the machine is.
FUNCTION_SECONDS = 120


@dataclass(frozen=True)
class Factory:
    """The running factory as a test sees it."""

    config: Config
    env_file: Path
    generators: Path
    function: str
    mapping: str

    @property
    def store(self) -> ObjectStore:
        return aws.bucket(self.config)

    @property
    def sqs(self) -> Any:
        return aws.sqs(self.config)

    def inventory(self) -> Inventory:
        return take_inventory(self.store)

    def add_generator(self, name: str, **behaviour: object) -> str:
        """A tiny generator that misbehaves as told; also changes how one that is there behaves."""
        shutil.copytree(TINY, self.generators / name, dirs_exist_ok=True)
        (self.generators / name / "behaviour.json").write_text(json.dumps(behaviour))
        return name

    def consume(self, enabled: bool) -> None:
        """Let the worker take messages, or stop it from taking any."""
        aws.client(self.config, "lambda").update_event_source_mapping(UUID=self.mapping, Enabled=enabled)

    @contextmanager
    def given(self, seconds: int) -> Iterator[None]:
        """Let the function take no longer than so many seconds in the block."""
        functions = aws.client(self.config, "lambda")
        functions.update_function_configuration(FunctionName=self.function, Timeout=seconds)
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=self.function, Timeout=FUNCTION_SECONDS)

    def generate(self, *generators: str, **wanted: object) -> Report:
        """Run the flow here; its report, complete or not."""
        asked = {"samples": 8, "batch_size": 4, "poll_seconds": 0.3, "max_rounds": 4, **wanted}
        state: State[Any] = generate_dataset(generators=list(generators), **asked, return_state=True)
        found = state.result(raise_on_failure=False)
        report = found.report if isinstance(found, DatasetIncomplete) else found
        assert isinstance(report, Report), report
        assert state.name == ("Completed" if report.complete else "Incomplete")
        return report


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """One embedded AWS for all tests; each uses generators of its own name."""
    generators = tmp_path_factory.mktemp("generators")
    with EmbeddedAws(tmp_path_factory.mktemp("state"), generators).running() as info:
        factory = Factory(
            Config(env_file=info.env_file),
            info.env_file,
            generators,
            info.function_name,
            info.event_source_mapping_id,
        )
        with factory.given(FUNCTION_SECONDS):
            yield factory


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """A Prefect server for the session; gives its address."""
    with prefect_test_harness(server_startup_timeout=120):
        from prefect.settings import PREFECT_API_URL

        yield str(PREFECT_API_URL.value())


@pytest.fixture
def factory(running: Factory, prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Factory]:
    """The factory, with the flows of this process pointed at it."""
    monkeypatch.setenv("DATAFACTORY_ENV_FILE", str(running.env_file))
    with config.replaced_by(running.config), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield running


@pytest.fixture
def command_environment(running: Factory, prefect_server: str) -> Callable[[], dict[str, str]]:
    """The environment of a command run as a user would, on this factory and this Prefect server."""

    def environment() -> dict[str, str]:
        return {
            **os.environ,
            "DATAFACTORY_ENV_FILE": str(running.env_file),
            "PREFECT_API_URL": prefect_server,
        }

    return environment
