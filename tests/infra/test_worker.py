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

DOCKERFILE = CHECKOUT / "lambda_worker" / "Dockerfile"
BASE = f"public.ecr.aws/lambda/python@sha256:{'5e' * 32}"
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
            architecture="arm64",
            worker_python="3.12",
            system_packages=("cairo", "dejavu-sans-fonts"),
            worker_base=BASE,
            build_certificate="proxy.pem",
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
    image = {"IMAGE_DIGEST"} if packaging == "image" else set()
    assert set(worker["Environment"]["Variables"]) == image | {
        "OUTPUT_BUCKET",
        "SQS_QUEUE_URL",
        "SQS_DLQ_URL",
        "GENERATORS_PATH",
    }
    assert "ReservedConcurrentExecutions" not in worker


def test_the_image_is_built_as_asked(image: dict[str, Any], assembly: Path) -> None:
    """Architecture, base, Python version, system packages and a proxy's certificate reach the build of the image."""
    assert image["dockerFile"] == "lambda_worker/Dockerfile"
    assert image["platform"] == "linux/arm64"
    assert image["dockerBuildArgs"] == {
        "PYTHON_VERSION": "3.12",
        "SYSTEM_PACKAGES": "cairo dejavu-sans-fonts",
        "BASE": BASE,
    }
    assert image["dockerBuildSecrets"] == {"ca": "src=proxy.pem"}
    template = json.loads(next(assembly.glob("*.template.json")).read_text())
    assert function(template)["Architectures"] == ["arm64"]


def test_the_worker_knows_its_image(assembly: Path) -> None:
    """Receipts are told the image that the function runs, by what its build was made of."""
    template = json.loads(next(assembly.glob("*.template.json")).read_text())
    (manifest,) = assembly.glob("*.assets.json")
    (digest,) = json.loads(manifest.read_text())["dockerImages"]
    worker = function(template)
    assert worker["Environment"]["Variables"]["IMAGE_DIGEST"] == f"asset:{digest}"
    assert digest in json.dumps(worker["Code"]["ImageUri"])
    assert digest in json.dumps(function(template, "Submit")["Code"]["ImageUri"])


def test_the_build_context_is_tight(image: dict[str, Any], assembly: Path) -> None:
    """Only what the image is made of is in the build context: no tests, no state, no bytecode, no .git."""
    context = assembly / image["directory"]
    assert {entry.name for entry in context.iterdir()} <= {
        ".dockerignore",
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
    lines = DOCKERFILE.read_text().splitlines()
    copied = [
        source
        for line in lines
        if line.startswith("COPY ") and "--from=" not in line
        for source in line.split()[1:-1]
    ]
    assert {"pyproject.toml", "generators", "vbvrdatafactory", "lambda_worker"} <= set(copied)
    assert all((CHECKOUT / source).exists() for source in copied)


@pytest.mark.parametrize(
    ("path", "is_left_out"),
    [
        ("generators/.environments/8050870314d4/bin/python", True),
        ("generators/V-1_maze_path_data-generator/src/__pycache__/maze.cpython-311.pyc", True),
        (".env", True),
        (".datafactory/prefect/prefect.db", True),
        ("generators/V-1_maze_path_data-generator/src/maze.py", False),
        ("generators/generators.lock.toml", False),
        ("lambda_worker/build-requirements.txt", False),
        ("LICENSE", False),
    ],
)
def test_a_build_without_cdk_leaves_out_the_same(path: str, is_left_out: bool) -> None:
    """`docker build .` takes what the image is made of: no environment, bytecode, state or setting of this checkout."""
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if not line.startswith("#")]
    strategy = cdk.DockerIgnoreStrategy(str(CHECKOUT), patterns)
    assert strategy.ignores(str(CHECKOUT / path)) is is_left_out


@pytest.mark.parametrize("name", ["requirements.txt", "build-requirements.txt"])
def test_the_image_installs_what_was_tested(name: str) -> None:
    """The worker's list and the build's have the versions of requirements.lock, each with its hashes, and no host."""
    pinned = _pinned(CHECKOUT / "requirements.lock")
    text = (CHECKOUT / "lambda_worker" / name).read_text()
    listed = _pinned(CHECKOUT / "lambda_worker" / name)
    assert listed == {one: pinned[one] for one in listed}
    assert text.count("--hash=sha256:") >= len(listed)
    assert "://" not in text


def test_the_image_has_what_the_worker_needs() -> None:
    """Every dependency of the distribution is listed, and the client that Lambda's invocations come through."""
    listed = _pinned(CHECKOUT / "lambda_worker" / "requirements.txt")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[><=\[ ]", one)[0] for one in project["dependencies"]}
    assert needed | {"awslambdaric"} <= set(listed)


def test_the_last_stage_takes_no_tool_along() -> None:
    """What the image is built with is seen by its steps and copied by none; nothing is installed without its hash."""
    _, last = re.split(r"^FROM .* AS build$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    _, last = re.split(r"^FROM .*$", last, flags=re.MULTILINE)
    assert re.findall(r"^COPY --from=\S+ (\S+)", last, re.MULTILINE) == ["/opt/worker"]
    assert "pip install" not in last
    assert "USER 993" in last
    installs = re.findall(r"pip install(?:[^\n]*\\\n)*[^\n]*", DOCKERFILE.read_text())
    assert len(installs) == 3
    assert all("--require-hashes" in one or "/build/wheel/" in one for one in installs)


def _pinned(file: Path) -> dict[str, str]:
    """Versions by distribution, of one for newer Pythons the last."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", file.read_text(), re.MULTILINE))
