"""The template for who has no clone: self-contained, with its knobs as parameters."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra import paths
from infra.one_click import MOST_BYTES, to_text
from infra.settings import StackSettings
from infra.synthesis import one_click


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(paths.ONE_CLICK_TEMPLATE.read_text())
    return found


def resources(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in template["Resources"].values() if one["Type"] == kind]


def test_the_committed_template_is_current(tmp_path: Path) -> None:
    """It is what the stack's code makes; where it is not, python -m infra.synth writes it anew."""
    assert paths.ONE_CLICK_TEMPLATE.read_text() == one_click(tmp_path)


def test_it_stands_alone(template: dict[str, Any]) -> None:
    """No asset, no bootstrap, no name of a machine, and small enough to be passed as text."""
    text = paths.ONE_CLICK_TEMPLATE.read_text()
    assert len(text.encode()) < MOST_BYTES
    assert not [
        word for word in ("cdk-hnb659fds", "AssetParameters", "BootstrapVersion", "nobody@") if word in text
    ]
    with pytest.raises(ValueError, match="51,200 are allowed"):
        to_text({"Resources": {str(number): {} for number in range(6000)}})


def test_the_image_and_the_knobs_are_parameters(template: dict[str, Any]) -> None:
    """Both functions run the image that is named; memory, temp files and concurrency are what is asked for."""
    functions = [one["Properties"] for one in resources(template, "AWS::Lambda::Function")]
    assert [one["Code"] for one in functions] == [{"ImageUri": {"Ref": "ImageUri"}}] * 2
    worker = next(one for one in functions if "FunctionName" not in one)
    assert worker["MemorySize"] == {"Ref": "LambdaMemoryMB"}
    assert worker["EphemeralStorage"] == {"Size": {"Ref": "EphemeralStorageMB"}}
    (mapping,) = resources(template, "AWS::Lambda::EventSourceMapping")
    assert mapping["Properties"]["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "SqsMaxConcurrency"}}
    (subscription,) = resources(template, "AWS::SNS::Subscription")
    assert subscription["Condition"] in template["Conditions"]


@pytest.mark.parametrize(
    ("address", "digest"), [("1.dkr/a/b@sha256:5e", "sha256:5e"), ("1.dkr/a/b:v1", "")], ids=["digest", "tag"]
)
def test_receipts_are_told_the_digest(template: dict[str, Any], address: str, digest: str) -> None:
    """It is taken from the image's address as CloudFormation can: with a tag in place of it there is none, and no error."""
    functions = [one["Properties"] for one in resources(template, "AWS::Lambda::Function")]
    worker = next(one for one in functions if "FunctionName" not in one)
    place, split = worker["Environment"]["Variables"]["IMAGE_DIGEST"]["Fn::Select"]
    between, joined = split["Fn::Split"]
    assert joined["Fn::Sub"].replace("${ImageUri}", address).split(between)[place] == digest


@pytest.mark.parametrize(
    ("parameter", "field"),
    [
        ("LambdaMemoryMB", "lambda_memory_mb"),
        ("EphemeralStorageMB", "ephemeral_storage_mb"),
        ("SqsMaxConcurrency", "sqs_max_concurrency"),
    ],
)
def test_ranges_and_defaults_are_those_of_the_context(
    template: dict[str, Any], parameter: str, field: str
) -> None:
    """A knob means the same in both ways in."""
    said = template["Parameters"][parameter]
    schema = StackSettings.model_json_schema(by_alias=False)["properties"][field]
    assert (said["Default"], said["MinValue"], said["MaxValue"]) == (
        schema["default"],
        schema["minimum"],
        schema["maximum"],
    )


def test_names_follow_the_stacks(template: dict[str, Any]) -> None:
    """The submit function is called after the stack, whatever that is called."""
    (submit,) = [
        one for one in resources(template, "AWS::Lambda::Function") if "FunctionName" in one["Properties"]
    ]
    assert submit["Properties"]["FunctionName"] == {
        "Fn::Join": ["", [{"Ref": "AWS::StackName"}, "-submit-tasks"]]
    }


def test_every_reference_leads_somewhere(template: dict[str, Any]) -> None:
    """What is referred to is a resource, a parameter, or AWS's own."""
    known = {*template["Resources"], *template["Parameters"]}

    def refer(value: Any) -> None:
        if isinstance(value, dict):
            if "Ref" in value:
                assert value["Ref"] in known or value["Ref"].startswith("AWS::")
            if "Fn::GetAtt" in value:
                assert value["Fn::GetAtt"][0] in known
            for one in value.values():
                refer(one)
        for one in value if isinstance(value, list) else ():
            refer(one)

    refer(template["Resources"])
    refer(template["Outputs"])
