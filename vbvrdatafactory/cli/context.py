"""The state that the root command passes to every other: the configuration and the services.

Addresses are validated first: the S3 client panics on a bucket name that cannot be part of a URL, and clients retry for
long where nothing listens on an endpoint of this machine.
"""

from __future__ import annotations

import re
import socket
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlparse

import click

from vbvrdatafactory.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_sqs import SQSClient
    from obstore.store import ObjectStore

    from vbvrdatafactory.core.config import Config
    from vbvrdatafactory.driver.services import Services

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z0-9-]+")
_CONNECT_SECONDS = 2


class App:
    """The state of one run of `datafactory`.

    Args:
        env_file: read this instead of ``.env``.
        verbose: log more, and show tracebacks.
    """

    def __init__(self, env_file: Path | None = None, *, verbose: bool = False) -> None:
        self.env_file = env_file
        self.verbose = verbose
        self.bucket: str | None = None

    @cached_property
    def config(self) -> Config:
        """The configuration, with ``--bucket`` in place of ``OUTPUT_BUCKET`` where it was given."""
        from vbvrdatafactory.core.config import Config

        config = Config(env_file=self.env_file, output_bucket=self.bucket)
        _check_region(config.aws_region)
        _check_endpoint(config.aws_endpoint_url)
        return config

    @property
    def bucket_name(self) -> str:
        """The bucket's name, checked."""
        name = self.config.output_bucket
        if not _BUCKET_NAME.fullmatch(name):
            raise ConfigError(
                f"{name!r} is not a valid bucket name: 3 to 63 lower case letters, digits, '-' and '.'; "
                "set OUTPUT_BUCKET or --bucket"
            )
        return name

    @cached_property
    def services(self) -> Services:
        """The services that the driver works with; each is made when it is first used."""
        from vbvrdatafactory.driver.services import Services

        self._check_listening()
        return Services(self.config)

    def store(self) -> ObjectStore:
        """The dataset's bucket."""
        _ = self.bucket_name  # checks it
        return self.services.bucket

    @property
    def sqs(self) -> SQSClient:
        """The SQS client."""
        return self.services.sqs

    def _check_listening(self) -> None:
        """Fail at once where the embedded AWS is not running: the clients would retry for 20 seconds."""
        from vbvrdatafactory import aws

        url = self.config.aws_endpoint_url
        if aws.replacement() or not self.config.is_embedded or url is None:
            return
        address = urlparse(url)
        port = address.port or (443 if address.scheme == "https" else 80)
        try:
            socket.create_connection((str(address.hostname), port), _CONNECT_SECONDS).close()
        except OSError as error:
            raise ConfigError(
                f"nothing listens at AWS_ENDPOINT_URL={url}; start the embedded AWS with 'datafactory local up'"
            ) from error


pass_app = click.make_pass_decorator(App, ensure=True)


def _check_region(region: str) -> None:
    if not _REGION.fullmatch(region):
        raise ConfigError(f"AWS_REGION={region!r} is no region; one looks like us-east-2")


def _check_endpoint(url: str | None) -> None:
    try:
        address = urlparse(url or "https://aws")
        good = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError(
            f"AWS_ENDPOINT_URL={url!r} is no address; one looks like http://127.0.0.1:4566, "
            "and for AWS itself it is not set at all"
        )
