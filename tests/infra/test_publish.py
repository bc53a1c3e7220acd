"""Image and template reach the user's own account."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from moto import mock_aws

from infra import publish
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import DataFactoryError

DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> "$CALLS"
case "$1" in
  login) cat > "$CALLS.typed" ;;
  push) exit ${PUSH:-0} ;;
  image) printf '%s\\n' "${DIGEST-public.ecr.aws/lambda/python@sha256:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e}" ;;
esac
"""


@pytest.fixture
def account() -> Iterator[Config]:
    with mock_aws():
        yield Config(aws_region="us-east-2")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called docker that writes down how it was called."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def test_an_image_is_pushed_by_digest(account: Config, docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository is made with tags that stay; the password is typed, not an argument; the answer is a digest."""
    real = publish._docker

    def push(*arguments: str, **options: Any) -> str:
        said = real(*arguments, **options)
        if arguments[0] == "push":
            manifest = {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"digest": "sha256:1"},
                "layers": [],
            }
            boto3.client("ecr", region_name="us-east-2").put_image(
                repositoryName="mine", imageManifest=json.dumps(manifest), imageTag="v1"
            )
        return said

    monkeypatch.setattr(publish, "_docker", push)
    address = publish.publish_image(account, repository="mine", tag="v1", architecture="arm64")
    assert address.startswith("123456789012.dkr.ecr.us-east-2.amazonaws.com/mine@sha256:")
    login, pulled, _, build, pushed = docker.read_text().splitlines()
    assert pulled == "pull --quiet --platform linux/arm64 public.ecr.aws/lambda/python:3.12"
    assert f"--build-arg BASE=public.ecr.aws/lambda/python@sha256:{'5e' * 32} " in build
    assert "--password-stdin" in login
    assert docker.with_name("calls.typed").read_text() not in login
    assert "--platform linux/arm64" in build
    assert "--file lambda_worker/Dockerfile" in build
    assert pushed == "push 123456789012.dkr.ecr.us-east-2.amazonaws.com/mine:v1"
    (made,) = boto3.client("ecr", region_name="us-east-2").describe_repositories()["repositories"]
    assert made["imageTagMutability"] == "IMMUTABLE"


def test_a_base_by_digest_is_taken_as_it_is(account: Config, docker: Path) -> None:
    """Nothing is looked up; a proxy's certificate is handed to the build as a secret."""
    base = f"mirror.example/python@sha256:{'6f' * 32}"
    publish._build("mine:v1", "linux/amd64", base, "proxy.pem")
    (build,) = docker.read_text().splitlines()
    assert f"--build-arg BASE={base} " in build
    assert "--secret id=ca,src=proxy.pem" in build


def test_a_base_without_a_digest_is_refused(
    account: Config, docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that was only ever built here has none, and another build would be on another base."""
    monkeypatch.setenv("DIGEST", "")
    with pytest.raises(DataFactoryError, match="says no digest of 'mine:latest'"):
        publish._build("mine:v1", "linux/amd64", "mine:latest", None)
    assert "build " not in docker.read_text()


def test_a_push_that_fails_is_told(account: Config, docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No address is printed for an image that is not there."""
    monkeypatch.setenv("PUSH", "3")
    with pytest.raises(DataFactoryError, match="'docker push' ended with 3"):
        publish.publish_image(account, repository="mine", tag="v1", architecture="x86_64")


def test_without_docker_it_says_so(account: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, before anything is made in the account."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DataFactoryError, match="no 'docker' on PATH"):
        publish.publish_image(account, repository="mine", tag="v1", architecture="x86_64")
    assert boto3.client("ecr", region_name="us-east-2").describe_repositories()["repositories"] == []


def test_the_link_opens_the_template(account: Config) -> None:
    """The template lies in the bucket, and the console's link has its address, a name and the image."""
    s3 = boto3.client("s3", region_name="us-east-2")
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    link = publish.publish_template(account, "mine", {"ImageUri": "a/b@sha256:1"})
    assert link.startswith(
        "https://us-east-2.console.aws.amazon.com/cloudformation/home?region=us-east-2#/stacks/quickcreate?"
    )
    asked = parse_qs(link.partition("quickcreate?")[2])
    assert asked["templateURL"] == ["https://mine.s3.us-east-2.amazonaws.com/vbvr-datafactory/one-click.json"]
    assert asked["param_ImageUri"] == ["a/b@sha256:1"]
    stored = s3.get_object(Bucket="mine", Key="vbvr-datafactory/one-click.json")["Body"].read()
    assert json.loads(stored)["Parameters"]["ImageUri"]["Type"] == "String"
