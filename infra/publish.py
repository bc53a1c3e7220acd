"""Puts the worker's image into a private registry, and the one-click template into a bucket, of the user's account.

``python -m infra.publish image`` and ``… template``; `make publish-image` and `make publish-template` run them.
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import click

from infra.paths import CHECKOUT, ONE_CLICK_TEMPLATE
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.defaults import STACK_NAME
from vbvrdatafactory.core.errors import DataFactoryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REPOSITORY = "vbvr-datafactory"
BASE = "public.ecr.aws/lambda/python:3.12"
_PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


def publish_image(  # noqa: PLR0913 - what is built, and what it is built of
    config: Config,
    *,
    repository: str,
    tag: str,
    architecture: str,
    base: str = BASE,
    certificate: str | None = None,
) -> str:
    """Build the worker's image, push it to a private repository of this region, and return its address by digest.

    Args:
        config: the region and the account.
        repository: name of the repository; made where it is missing.
        tag: of the image.
        architecture: ``x86_64`` or ``arm64``.
        base: what it is built on; where that is no digest, the one that it has today.
        certificate: a file with the certificate of a proxy that inspects TLS.

    Raises:
        DataFactoryError: there is no Docker, or a step of it failed.
    """
    if shutil.which("docker") is None:
        raise DataFactoryError("there is no 'docker' on PATH; the image is built where Docker is")
    ecr = aws.client(config, "ecr")
    address = _ensure_repository(ecr, repository)
    image = f"{address}:{tag}"
    token = ecr.get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(token["authorizationToken"]).decode().partition(":")
    # A password in a command's arguments is seen by everybody on the machine.
    _docker("login", "--username", user, "--password-stdin", token["proxyEndpoint"], typed=password)
    _build(image, _PLATFORMS[architecture], base, certificate)
    _docker("push", image)
    found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"][0]
    return f"{address}@{found['imageDigest']}"


def _build(image: str, platform: str, base: str, certificate: str | None) -> None:
    secret = ["--secret", f"id=ca,src={certificate}"] if certificate else []
    _docker(
        "build", "--platform", platform, "--provenance=false", "--file", "lambda_worker/Dockerfile", *secret,
        "--build-arg", f"BASE={_by_digest(base, platform)}", "--tag", image, ".",
    )  # fmt: skip


def _by_digest(base: str, platform: str) -> str:
    """The base's address with the digest that it has in its registry now; a build from it is the same tomorrow."""
    if "@" in base:
        return base
    _docker("pull", "--quiet", "--platform", platform, base)
    found = _docker("image", "inspect", "--format", "{{index .RepoDigests 0}}", base, is_read=True).strip()
    if not re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", found):
        raise DataFactoryError(
            f"'docker image inspect' says no digest of {base!r} but {found[:200]!r}; name the base by digest with --base"
        )
    click.echo(f"built on {found}; cdk deploy -c workerBase={found}", err=True)
    return found


def publish_template(
    config: Config, bucket: str, parameters: Mapping[str, str], template: Path = ONE_CLICK_TEMPLATE
) -> str:
    """Put the one-click template into `bucket`, and return the link that opens it in the console with `parameters`.

    CloudFormation takes a template from S3 alone, not from a page of GitHub.
    """
    key = f"vbvr-datafactory/{template.name}"
    aws.s3(config).put_object(
        Bucket=bucket, Key=key, Body=template.read_bytes(), ContentType="application/json"
    )
    return quick_create_link(config.aws_region, bucket, key, parameters)


def quick_create_link(region: str, bucket: str, key: str, parameters: Mapping[str, str]) -> str:
    """The console's link that creates a stack from a template in S3, its form filled in.

    >>> quick_create_link("us-east-2", "b", "k.json", {"ImageUri": "a/b:c"})[:60]
    'https://us-east-2.console.aws.amazon.com/cloudformation/home'
    """
    asked = {
        "templateURL": f"https://{bucket}.s3.{region}.amazonaws.com/{quote(key)}",
        "stackName": STACK_NAME,
        **{f"param_{name}": value for name, value in parameters.items()},
    }
    console = f"https://{region}.console.aws.amazon.com/cloudformation/home?region={region}"
    return f"{console}#/stacks/quickcreate?{urlencode(asked)}"


def _ensure_repository(ecr: object, name: str) -> str:
    """The address of a private repository, made where it is missing: tags in it can't be moved to other images."""
    client: Any = ecr
    try:
        found = client.describe_repositories(repositoryNames=[name])["repositories"][0]
    except client.exceptions.RepositoryNotFoundException:
        found = client.create_repository(
            repositoryName=name,
            imageTagMutability="IMMUTABLE",
            imageScanningConfiguration={"scanOnPush": True},
        )["repository"]
    return str(found["repositoryUri"])


def _docker(*arguments: str, typed: str | None = None, is_read: bool = False) -> str:
    """Run docker; what it printed, if that is read, else nothing."""
    output = subprocess.PIPE if is_read else None
    done = subprocess.run(  # noqa: S603 - docker, with arguments of ours
        ["docker", *arguments],  # noqa: S607 - wherever the user has it
        cwd=CHECKOUT,
        input=typed,
        stdout=output,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DataFactoryError(f"'docker {arguments[0]}' ended with {done.returncode}; see above")
    return done.stdout or ""


@click.group()
def main() -> None:
    """Publish what a stack without a clone is made of."""


@main.command()
@click.option(
    "--repository", default=REPOSITORY, show_default=True, help="Name of the private ECR repository."
)
@click.option("--tag", required=True, help="Tag of the image, such as the commit's; a tag is never moved.")
@click.option("--architecture", type=click.Choice(list(_PLATFORMS)), default="x86_64", show_default=True)
@click.option(
    "--base", default=BASE, show_default=True, help="What it is built on; a tag is resolved to its digest."
)
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False),
    help="The certificate of a proxy that inspects TLS, as a PEM file.",
)
def image(repository: str, tag: str, architecture: str, base: str, certificate: str | None) -> None:
    """Build the worker's image and push it; prints its address, for the template's ImageUri."""
    click.echo(
        publish_image(
            Config(),
            repository=repository,
            tag=tag,
            architecture=architecture,
            base=base,
            certificate=certificate,
        )
    )


@main.command()
@click.option("--bucket", required=True, help="A bucket of yours in the stack's region.")
@click.option("--image", "image_uri", default="", help="What 'image' printed; fills in the form.")
def template(bucket: str, image_uri: str) -> None:
    """Put the one-click template into a bucket; prints the link that creates the stack."""
    click.echo(publish_template(Config(), bucket, {"ImageUri": image_uri} if image_uri else {}))


if __name__ == "__main__":
    try:
        main()
    except DataFactoryError as error:
        raise SystemExit(str(error)) from error
