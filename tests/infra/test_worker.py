import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from infra.paths import CHECKOUT
from infra.settings import StackSettings
from infra.stack import PipelineStack

Synthesise = Callable[[StackSettings], Template]


def function(template: dict[str, Any], name: str = "Worker") -> dict[str, Any]:
    """The properties of a function; CDK adds a digest to its name."""
    (properties,) = (
        one["Properties"]
        for key, one in template["Resources"].items()
        if one["Type"] == "AWS::Lambda::Function" and key.startswith(name)
    )
    return dict(properties)


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of a deployment to AWS with every choice about the image made."""
    folder = tmp_path_factory.mktemp("assembly")
    app = cdk.App(outdir=str(folder), analytics_reporting=False)
    PipelineStack(
        app,
        StackSettings(
            architecture="arm64", worker_python="3.12", system_packages=("cairo", "dejavu-sans-fonts")
        ),
    )
    app.synth()
    return folder


@pytest.fixture(scope="module")
def image(assembly: Path) -> dict[str, Any]:
    (manifest,) = assembly.glob("*.assets.json")
    (asset,) = json.loads(manifest.read_text())["dockerImages"].values()
    source: dict[str, Any] = asset["source"]
    return source


def test_the_worker_on_aws_is_an_image(full: dict[str, dict[str, Any]]) -> None:
    """On AWS the function is a container image that finds generators in /opt/generators."""
    worker = function(full["image"])
    assert worker["PackageType"] == "Image"
    assert worker["Environment"]["Variables"]["GENERATORS_PATH"] == "/opt/generators"


def test_the_embedded_worker_is_a_zip(full: dict[str, dict[str, Any]]) -> None:
    """On the embedded AWS the function is a zip file and finds generators where a parameter says."""
    worker = function(full["zip"])
    assert worker["Code"] == {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}}
    assert worker["Handler"] == "lambda_worker.handler.handler"
    assert worker["Environment"]["Variables"]["GENERATORS_PATH"] == {"Ref": "GeneratorsPath"}


@pytest.mark.parametrize("packaging", ["image", "zip"])
def test_the_worker_knows_its_addresses(full: dict[str, dict[str, Any]], packaging: str) -> None:
    """The worker is told its bucket, its queue and its dead letter queue; no concurrency is reserved."""
    worker = function(full[packaging])
    assert set(worker["Environment"]["Variables"]) == {
        "OUTPUT_BUCKET",
        "SQS_QUEUE_URL",
        "SQS_DLQ_URL",
        "GENERATORS_PATH",
    }
    assert "ReservedConcurrentExecutions" not in worker


def test_the_image_is_built_as_asked(image: dict[str, Any], assembly: Path) -> None:
    """Architecture, Python version and system packages reach the build of the image."""
    assert image["dockerFile"] == "lambda_worker/Dockerfile"
    assert image["platform"] == "linux/arm64"
    assert image["dockerBuildArgs"] == {
        "PYTHON_VERSION": "3.12",
        "SYSTEM_PACKAGES": "cairo dejavu-sans-fonts",
    }
    template = json.loads(next(assembly.glob("*.template.json")).read_text())
    assert function(template)["Architectures"] == ["arm64"]


def test_the_build_context_is_tight(image: dict[str, Any], assembly: Path) -> None:
    """Only what the image is made of is in the build context: no tests, no state, no bytecode, no .git."""
    context = assembly / image["directory"]
    assert {entry.name for entry in context.iterdir()} <= {
        "LICENSE",
        "README.md",
        "generators",
        "lambda_worker",
        "pyproject.toml",
        "requirements.lock",
        "vbvrdatafactory",
    }
    unwanted = {"__pycache__", ".git", ".venv", ".environments"}
    assert not [found for found in context.rglob("*") if found.name in unwanted or found.suffix == ".pyc"]


def test_the_dockerfile_copies_only_what_is_there() -> None:
    """Whatever the Dockerfile copies is in the build context and in the checkout."""
    lines = (CHECKOUT / "lambda_worker" / "Dockerfile").read_text().splitlines()
    copied = [source for line in lines if line.startswith("COPY ") for source in line.split()[1:-1]]
    assert {"pyproject.toml", "generators", "vbvrdatafactory", "lambda_worker"} <= set(copied)
    assert all((CHECKOUT / source).exists() for source in copied if not source.endswith("*"))


def test_the_image_installs_what_was_tested() -> None:
    """The worker's list in the image has the versions of requirements.lock, each with its hashes, and all that it needs."""
    pinned = dict(
        re.findall(r"^([\w.-]+)==([^\s;\\]+)", (CHECKOUT / "requirements.lock").read_text(), re.MULTILINE)
    )
    text = (CHECKOUT / "lambda_worker" / "requirements.txt").read_text()
    listed = dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE))
    assert listed == {name: pinned[name] for name in listed}
    assert text.count("--hash=sha256:") >= len(listed)
    assert "://" not in text
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[><=\[ ]", one)[0] for one in project["dependencies"]}
    assert needed <= set(listed)
