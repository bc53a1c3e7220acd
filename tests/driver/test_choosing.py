"""Generators are chosen from the catalogue, and a dataset is pinned to their lock."""

from pathlib import Path

import pytest

from vbvrdatafactory.control.run_policy import RunPolicy
from vbvrdatafactory.core.errors import SpecError
from vbvrdatafactory.core.generators_lock import GeneratorsLock, LockedEnvironment, LockedGenerator
from vbvrdatafactory.driver.choosing import choose, plan
from vbvrdatafactory.driver.loop import make_complete
from vbvrdatafactory.driver.services import Services
from vbvrdatafactory.driver.steps import Steps
from vbvrdatafactory.fleet.lock_writer import write_lock
from vbvrdatafactory.planning.spec_changes import Redefined
from vbvrdatafactory.s3.specs import write_spec
from vbvrdatafactory.testing import InMemoryAws

READY, NEW = "O-1_ready", "O-2_new"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Two generators, of which the lock has one."""
    for name in (READY, NEW):
        (tmp_path / name / "examples").mkdir(parents=True)
        (tmp_path / name / "examples" / "generate.py").touch()
    lock(tmp_path, code="a" * 64)
    return tmp_path


def lock(fleet: Path, code: str) -> None:
    locked = LockedGenerator(code=code, environment="e" * 12)
    environment = LockedEnvironment(digest="e" * 64)
    write_lock(fleet, GeneratorsLock(generators={READY: locked}, environments={"e" * 12: environment}))


def test_what_has_no_environment_is_left_out(fleet: Path, cloud: InMemoryAws) -> None:
    """`all` takes what can run on AWS, and says what is left out; its name alone is refused, with the next move."""
    config = cloud.config.but(generators_path=fleet)
    found = choose(config, ["all"])
    assert (found.names, [*found.left_out]) == ((READY,), [NEW])
    with pytest.raises(SpecError, match="generators lock"):
        choose(config, [NEW])


def test_on_this_machine_it_must_be_installed(fleet: Path, cloud: InMemoryAws) -> None:
    """Where the workers are on this machine, an environment that is not installed here is no environment."""
    config = cloud.config.but(generators_path=fleet, aws_endpoint_url="http://127.0.0.1:9")
    with pytest.raises(SpecError, match="generators install"):
        choose(config, [READY])


def test_a_filed_dataset_is_not_made_on_with_others(fleet: Path, cloud: InMemoryAws) -> None:
    """Filling the gaps of a dataset with another lock is refused before anything is sent; with `keep` it is not."""
    config = cloud.config.but(generators_path=fleet)
    planned = plan(config, choose(config, [READY]), {"dataset": "d", "samples": 4})
    assert planned.spec.pins.generators[READY].code == "a" * 64
    write_spec(cloud.store, planned.spec)
    lock(fleet, code="b" * 64)
    with pytest.raises(Redefined, match="aaaaaaaaaaaa → bbbbbbbbbbbb"):
        make_complete(Steps(Services(config)), planned, RunPolicy())
    assert cloud.messages() == []
