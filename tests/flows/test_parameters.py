import inspect
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import yaml
from prefect.utilities.callables import parameter_schema
from prefect.utilities.importtools import import_object

from flows.completeness_report import completeness_report
from flows.ending import DatasetIncomplete, ending
from flows.fill_gaps import fill_gaps
from flows.generate_dataset import RequiredFile, generate_dataset
from vbvrdatafactory.core.plan import DatasetSpec
from vbvrdatafactory.core.report import Report, Tally
from vbvrdatafactory.core.samples import ALWAYS_REQUIRED, KNOWN_FILES

FLOWS = (generate_dataset, fill_gaps, completeness_report)
DEPLOYMENTS = yaml.safe_load(Path("prefect.yaml").read_text(encoding="utf-8"))["deployments"]


def test_the_form_asks_for_every_field_of_a_spec() -> None:
    """Whatever a DatasetSpec can say, the flow's flat parameters can say, by the same name."""
    assert set(DatasetSpec.model_fields) <= set(inspect.signature(generate_dataset.fn).parameters)


def test_the_form_offers_every_file_that_can_be_required() -> None:
    """The files to choose from are the known ones that are not required anyway."""
    assert set(get_args(RequiredFile)) == set(KNOWN_FILES) - set(ALWAYS_REQUIRED)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_parameter_is_described_in_the_form(flow) -> None:
    """No field of a run form is without a sentence that says what it means."""
    properties = parameter_schema(flow.fn).properties
    assert not [name for name, field in properties.items() if not field.get("description")]
    assert set(properties) == set(get_type_hints(flow.fn)) - {"return"}


def test_each_flow_is_deployed_for_both_targets() -> None:
    """prefect.yaml holds every flow for the embedded AWS and for an account, by module path."""
    deployed = {(import_object(d["entrypoint"]).name, d["name"]) for d in DEPLOYMENTS}
    assert deployed == {(flow.name, target) for flow in FLOWS for target in ("local", "aws")}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: f"{d['entrypoint']}-{d['name']}")
def test_deployed_parameters_are_the_flows_own(deployment) -> None:
    """A default in prefect.yaml names a parameter that its flow has, with a value that it takes."""
    import_object(deployment["entrypoint"]).validate_parameters(deployment.get("parameters", {}))


def test_the_final_state_is_red_unless_complete() -> None:
    """A run is Completed when nothing lacks, else a failed Incomplete that carries the report."""
    from datetime import UTC, datetime

    def report(whole: int) -> Report:
        tally = Tally(generator="g", expected=2, whole=whole, torn=0)
        return Report(dataset="d", at=datetime.now(UTC), generators=[tally])

    assert ending(report(2)).is_completed()
    state = ending(report(1))
    assert (state.is_failed(), state.name) == (True, "Incomplete")
    assert isinstance(state.data, DatasetIncomplete)
    assert "1 of 2 samples are missing" in state.message
