"""The functions in their two packagings: a container image on AWS, a zip file on the embedded AWS; one artifact for both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import CfnParameter, DockerBuildSecret, IgnoreMode
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk.aws_ecr_assets import DockerImageAsset, Platform

from infra.nag import acknowledge
from infra.paths import CHECKOUT

if TYPE_CHECKING:
    from constructs import Construct

    from infra.settings import StackSettings

HANDLER = "lambda_worker.handler.handler"
SUBMIT_HANDLER = "vbvrdatafactory.submit_lambda.handler.handler"
GENERATORS_IN_IMAGE = "/opt/generators"
# What receipts say of the image.
IMAGE_VARIABLE = "IMAGE_DIGEST"

_ARCHITECTURES = {
    "x86_64": (lambda_.Architecture.X86_64, Platform.LINUX_AMD64),
    "arm64": (lambda_.Architecture.ARM_64, Platform.LINUX_ARM64),
}


def string_parameter(scope: Construct, name: str, description: str) -> str:
    """A parameter of the template.

    Only strings: a Number reaches the embedded AWS as a string and stops its queue poller.
    """
    made = scope.node.try_find_child(name)
    if not isinstance(made, CfnParameter):
        made = CfnParameter(scope, name, type="String", description=description)
    return made.value_as_string


def image_function(
    scope: Construct,
    name: str,
    handler: str,
    settings: StackSettings,
    environment: dict[str, str],
    **options: Any,  # noqa: ANN401
) -> lambda_.Function:
    """A function as the image built from the checkout; all functions have the same image.

    Its tag in the registry is a digest of what it is built from; that of the image itself is known when it is built.
    """
    architecture, platform = _ARCHITECTURES[settings.architecture]
    base = {"BASE": settings.worker_base} if settings.worker_base else {}
    certificate = settings.build_certificate
    image = DockerImageAsset(
        scope,
        f"{name}Image",
        directory=str(CHECKOUT),
        file="lambda_worker/Dockerfile",
        ignore_mode=IgnoreMode.DOCKER,
        platform=platform,
        build_args={
            "PYTHON_VERSION": settings.worker_python,
            "SYSTEM_PACKAGES": " ".join(settings.system_packages),
            **base,
        },
        build_secrets={"ca": DockerBuildSecret.from_src(certificate)} if certificate else None,
    )
    return lambda_.DockerImageFunction(
        scope,
        name,
        code=lambda_.DockerImageCode.from_ecr(image.repository, tag_or_digest=image.image_tag, cmd=[handler]),
        architecture=architecture,
        environment={
            **environment,
            "GENERATORS_PATH": GENERATORS_IN_IMAGE,
            IMAGE_VARIABLE: f"asset:{image.image_tag}",
        },
        **options,
    )


def uri_function(
    scope: Construct,
    name: str,
    handler: str,
    settings: StackSettings,
    environment: dict[str, str],
    **options: Any,  # noqa: ANN401
) -> lambda_.Function:
    """A function as an image that is there already; `infra.one_click` has a parameter in place of its address."""
    repository = ecr.Repository.from_repository_name(scope, f"{name}Image", "image")
    return lambda_.DockerImageFunction(
        scope,
        name,
        code=lambda_.DockerImageCode.from_ecr(repository, tag_or_digest="latest", cmd=[handler]),
        architecture=_ARCHITECTURES[settings.architecture][0],
        environment={**environment, "GENERATORS_PATH": GENERATORS_IN_IMAGE},
        **options,
    )


def zip_function(
    scope: Construct,
    name: str,
    handler: str,
    settings: StackSettings,
    environment: dict[str, str],
    **options: Any,  # noqa: ANN401
) -> lambda_.Function:
    """A function as a zip file of Python sources, whose packages the host already has."""
    code = s3.Bucket.from_bucket_name(
        scope, f"{name}Code", string_parameter(scope, "CodeBucket", "Bucket of the worker's zip file")
    )
    generators = string_parameter(scope, "GeneratorsPath", "Folder that holds the generators")
    function = lambda_.Function(
        scope,
        name,
        code=lambda_.Code.from_bucket(
            code, string_parameter(scope, "CodeKey", "Key of the worker's zip file")
        ),
        handler=handler,
        runtime=lambda_.Runtime.PYTHON_3_11,
        architecture=_ARCHITECTURES[settings.architecture][0],
        environment={**environment, "GENERATORS_PATH": generators},
        **options,
    )
    acknowledge(function, "L1", "The embedded AWS runs the function on the checkout's own interpreter.")
    return function
