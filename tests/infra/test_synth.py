import json
from pathlib import Path
from typing import Any

import pytest

from infra import paths, synth
from infra.synthesis import local_template


@pytest.fixture(scope="module")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> str:
    return local_template(tmp_path_factory.mktemp("local"))


def test_the_committed_template_is_current(synthesised: str) -> None:
    """The committed template is what the code says; `python -m infra.synth` writes it anew."""
    assert paths.LOCAL_TEMPLATE.read_text() == synthesised


def test_synthesis_repeats_itself(synthesised: str, tmp_path: Path) -> None:
    """Synthesising twice gives the same bytes."""
    assert local_template(tmp_path) == synthesised


def test_synth_writes_the_template(synthesised: str, tmp_path: Path) -> None:
    """The command writes both templates to where it is told; by default those are the committed ones."""
    synth.main(["--output", str(tmp_path)], standalone_mode=False)
    assert (tmp_path / "local.json").read_text() == synthesised
    assert (tmp_path / "one-click.json").read_text() == paths.ONE_CLICK_TEMPLATE.read_text()
    assert {option.name: option.default for option in synth.main.params} == {
        "output": paths.LOCAL_TEMPLATE.parent
    }


def test_only_string_parameters(embedded_template: dict[str, Any]) -> None:
    """No parameter is a Number: the emulator would keep it a string and its queue poller would die."""
    assert {one["Type"] for one in embedded_template["Parameters"].values()} == {"String"}
    assert set(embedded_template["Parameters"]) == {"CodeBucket", "CodeKey", "GeneratorsPath"}


def test_numbers_are_literal(embedded_template: dict[str, Any]) -> None:
    """What the emulator reads as a number is written as one."""
    (mapping,) = (
        one["Properties"]
        for one in embedded_template["Resources"].values()
        if one["Type"] == "AWS::Lambda::EventSourceMapping"
    )
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert mapping["BatchSize"] == 1


def test_the_template_stands_alone() -> None:
    """The template fits into a request and needs no bootstrapped account and no uploaded asset."""
    text = paths.LOCAL_TEMPLATE.read_text()
    assert len(text) < 51_200
    assert "cdk-hnb659fds" not in text
    assert "BootstrapVersion" not in json.loads(text)["Parameters"]
