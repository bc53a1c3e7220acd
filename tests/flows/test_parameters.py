import inspect
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml
from click.testing import CliRunner
from prefect.logging import disable_run_logger
from prefect.utilities.callables import parameter_schema
from prefect.utilities.importtools import import_object
from prefect.utilities.schema_tools import validate

from flows.__main__ import main as run_here
from flows.approve_dataset import approve_dataset
from flows.completeness_report import completeness_report
from flows.ending import DatasetIncomplete, ending
from flows.fill_gaps import fill_gaps
from flows.form import MAX_FAILURES, RequiredFile, choices
from flows.generate_dataset import generate_dataset
from flows.redrive_dead_letters import redrive_dead_letters
from flows.release_dataset import release_dataset
from tasks.dataset import plan_dataset
from vbvrdatafactory.cli.submit import submit
from vbvrdatafactory.core.config import Config, config
from vbvrdatafactory.core.contract import ALWAYS_REQUIRED, KNOWN_FILES
from vbvrdatafactory.planning.plan import MAX_SEED, DatasetSpec
from vbvrdatafactory.report.completeness import Report
from vbvrdatafactory.report.tallies import Tally

FLOWS = (
    generate_dataset,
    fill_gaps,
    completeness_report,
    redrive_dead_letters,
    approve_dataset,
    release_dataset,
)
# The schema is the software's, and the pins are those of the generators' lock.
NOT_ASKED = {"schema_version", "pins"}
DEPLOYMENTS = yaml.safe_load(Path("prefect.yaml").read_text(encoding="utf-8"))["deployments"]


def test_the_form_asks_for_every_field_of_a_spec() -> None:
    """Whatever a person can say in a DatasetSpec, the flow's flat parameters can say, by the same name."""
    assert set(DatasetSpec.model_fields) - NOT_ASKED <= set(inspect.signature(generate_dataset.fn).parameters)


def test_the_form_offers_every_file_that_can_be_required() -> None:
    """The files to choose from are the known ones that are not required anyway."""
    assert set(get_args(RequiredFile)) == set(KNOWN_FILES) - set(ALWAYS_REQUIRED)


def field(name: str) -> dict[str, Any]:
    """What the form knows about a field of generate-dataset."""
    return parameter_schema(generate_dataset.fn).properties[name]


@pytest.mark.parametrize("name", ["samples", "batch_size", "seed", "output_format", "seeds"])
def test_the_form_has_the_limits_of_a_spec(name) -> None:
    """What the form takes a spec takes: the same type, the same least and greatest number, the same choices."""
    limits = ("type", "minimum", "enum") if name == "seed" else ("type", "minimum", "maximum", "enum")
    spec = DatasetSpec.model_json_schema()["properties"][name]
    assert {key: field(name).get(key) for key in limits} == {key: spec.get(key) for key in limits}


def test_the_form_takes_no_seed_that_it_could_not_show() -> None:
    """The greatest seed of a form is that of a new spec."""
    assert field("seed")["maximum"] == MAX_SEED


def test_the_form_fills_in_what_a_spec_would() -> None:
    """A field left alone means the same in the form and in a spec."""
    given = {name: each.default for name, each in DatasetSpec.model_fields.items() if not each.is_required()}
    given = {name: default for name, default in given.items() if name not in NOT_ASKED}
    del given["overrides"], given["require"]  # made anew each time
    assert {name: field(name)["default"] for name in given} == given


def test_both_commands_and_the_form_ask_for_the_same() -> None:
    """Left alone, samples, batch size and seed mean the same wherever a dataset is asked for."""
    for name in ("samples", "batch_size", "seed"):
        defaults = {
            next(option.default for option in command.params if option.name == name)
            for command in (submit, run_here)
        }
        assert defaults == {field(name)["default"]}


def test_the_form_offers_the_catalogue(tmp_path, monkeypatch) -> None:
    """The families, every generator by name: what a person can look through and search."""
    for name in ("O-41_b", "O-6_a", "G-1_c"):
        (tmp_path / name / "examples").mkdir(parents=True)
        (tmp_path / name / "examples" / "generate.py").touch()
    monkeypatch.setenv("GENERATORS_PATH", str(tmp_path))
    wanted = ["O-*", "G-1_c", "O-41_b", "O-6_a"]
    assert choices() == wanted
    offered, typed = field("generators")["anyOf"]
    assert offered["items"]["enum"] == wanted
    assert "enum" not in typed["items"]


def test_a_form_can_be_made_without_generators(tmp_path, monkeypatch) -> None:
    """Where flows only run, there may be no folder of generators; names are then typed."""
    monkeypatch.setenv("GENERATORS_PATH", str(tmp_path / "nowhere"))
    assert choices() == []
    assert field("generators")["type"] == "array"


@pytest.mark.parametrize("flow", [generate_dataset, redrive_dead_letters], ids=lambda flow: flow.name)
def test_choosing_takes_nothing_out(flow) -> None:
    """No generator stands in the form at first, so that those chosen are all there are; none means every one."""
    generators = parameter_schema(flow.fn).properties["generators"]
    assert generators["default"] == []
    assert validate({"generators": []}, parameter_schema(flow.fn).model_dump()) == []


@pytest.mark.parametrize("generators", [[], ["all"]])
def test_none_chosen_and_a_filed_all_are_every_generator(generators, tmp_path) -> None:
    """What a run of the form before this one filed, all, means what an empty choice means now."""
    for name in ("A", "B"):
        (tmp_path / name / "examples").mkdir(parents=True)
        (tmp_path / name / "examples" / "generate.py").touch()
    with disable_run_logger(), config.replaced_by(Config(generators_path=tmp_path)):
        assert plan_dataset.fn("d", generators, samples=1).spec.generators == ("A", "B")


@pytest.mark.parametrize("generators", [["V-1*"], ["all"], ["O-999_came_later"], ["V-*", "O-1_x"]])
def test_the_server_takes_names_that_are_not_in_the_list(generators) -> None:
    """Globs, and generators that came after the deploy, pass the server's check of the parameters."""
    schema = parameter_schema(generate_dataset.fn).model_dump()
    assert validate({"generators": generators}, schema) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"generators": [5]},
        {"samples": 0},
        {"samples": "abc"},
        {"samples": 2**64},
        {"batch_size": 2**64},
        {"seed": -1},
        {"seed": 2**53},
        {"seed": 2**64},
        {"max_rounds": 2**64},
        {"max_failures": 2**64},
        {"max_failure_percent": 2**64},
        {"poll_seconds": 1e300},
        {"stall_minutes": math.inf},
        {"overrides": {"g": {"samples": 2**64}}},
        {"dataset": "a\0b"},
        {"dataset": "\ud800"},
        {"dataset": "a/b"},
    ],
)
def test_the_server_refuses_what_no_spec_takes(wrong) -> None:
    """What is wrong in any case is refused before a run starts, naming the field."""
    (error,) = validate(wrong, parameter_schema(generate_dataset.fn).model_dump())
    assert error.json_path.startswith(f"$.{next(iter(wrong))}")


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_no_number_of_a_form_is_unbounded(flow) -> None:
    """A run with a number beyond 64 bits would break the page of all runs for good: each has its greatest."""

    def numbers(schema: Any) -> Iterator[dict[str, Any]]:
        if isinstance(schema, dict):
            if schema.get("type") in ("integer", "number"):
                yield schema
            schema = list(schema.values())
        if isinstance(schema, list):
            for part in schema:
                yield from numbers(part)

    unbounded = [each for each in numbers(parameter_schema(flow.fn).model_dump()) if "maximum" not in each]
    assert not unbounded


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


@pytest.mark.parametrize(
    "option", ["poll_seconds", "stall_minutes", "max_rounds", "max_failures", "max_failure_percent"]
)
@pytest.mark.parametrize("value", ["nan", "inf", "-1", str(2**64)])
def test_the_command_refuses_what_the_form_refuses(option: str, value: str) -> None:
    """A number that no run can use, or that the history of runs can't hold, is one line before anything starts."""
    result = CliRunner().invoke(run_here, [f"--{option.replace('_', '-')}", value])
    assert result.exit_code == 2
    assert f"--{option.replace('_', '-')}" in result.output


def test_the_command_has_the_limits_of_the_form() -> None:
    """The greatest number of each is the same in both."""
    most = {
        option.name: option.callback.most for option in run_here.params if hasattr(option.callback, "most")
    }
    optional = {"max_failures": MAX_FAILURES, "max_cost_usd": 10**9}
    in_form = {name: field(name).get("maximum") for name in most if name not in optional}
    assert {name: most[name] for name in in_form} == in_form
    for name, limit in optional.items():
        assert most[name] == limit == field(name)["anyOf"][0]["maximum"]
