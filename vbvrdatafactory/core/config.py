"""Reads the configuration from the environment: addresses, region, paths.

Importing reads nothing. The first attribute access reads the environment and a `.env` file
(or the file named by ``DATAFACTORY_ENV_FILE``); variables of the process win over the file.
A required address that is not set raises `ConfigError` with the variable's name and where to get its value.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlparse

from pydantic import BaseModel, ConfigDict, ValidationError

from vbvrdatafactory.core.errors import ConfigError

ENV_FILE_VARIABLE = "DATAFACTORY_ENV_FILE"
DEFAULT_REGION = "us-east-2"

_SOURCES = {
    "SQS_QUEUE_URL": "output QueueUrl of the stack",
    "SQS_DLQ_URL": "output DlqUrl of the stack",
    "OUTPUT_BUCKET": "output BucketName of the stack",
}


class _Settings(BaseModel):
    """The variables. None is required here: an address that is not set fails when it is used."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sqs_queue_url: str | None = None
    sqs_dlq_url: str | None = None
    output_bucket: str | None = None
    aws_region: str = DEFAULT_REGION
    aws_profile: str | None = None
    aws_endpoint_url: str | None = None
    aws_credentials_block: str | None = None
    generators_path: Path = Path("./generators")
    trust_generators: bool = False
    owns_temp_folder: bool = False
    prices_file: Path | None = None


class Config:
    """Addresses and paths, read once, on first use.

    Keyword arguments override the environment, e.g. ``Config(output_bucket="my-bucket")``.

    Args:
        env_file: read this file instead of ``.env``; a file named here, or by ``DATAFACTORY_ENV_FILE``,
            must exist.
        overrides: values for the fields of the same names; None means the environment's value.
    """

    def __init__(self, *, env_file: str | Path | None = None, **overrides: str | Path | None) -> None:
        unknown = sorted(set(overrides) - set(_Settings.model_fields))
        if unknown:
            raise ConfigError(
                f"Config has no field {unknown[0]!r}; it has {', '.join(_Settings.model_fields)}"
            )
        self._env_file = env_file
        self._overrides = {name: value for name, value in overrides.items() if value is not None}
        self._instead: Config | None = None

    def but(self, **overrides: str | Path | None) -> "Config":
        """A copy with other values for some fields; None leaves a field unchanged."""
        here = self.answering
        given = {name: value for name, value in overrides.items() if value is not None}
        return Config(env_file=here._env_file, **{**here._overrides, **given})  # noqa: SLF001 - its own class

    @contextmanager
    def replaced_by(self, other: "Config") -> Iterator[None]:
        """Return the values of `other` within the block, in every module that has imported this object."""
        before, self._instead = self._instead, other
        try:
            yield
        finally:
            self._instead = before

    @property
    def answering(self) -> "Config":
        """The configuration whose values are returned: this one, or the one that replaces it."""
        return self if self._instead is None else self._instead.answering

    @property
    def _settings(self) -> _Settings:
        return self.answering._own_settings  # noqa: SLF001 - its own class

    @cached_property
    def _own_settings(self) -> _Settings:
        named = self._env_file or os.environ.get(ENV_FILE_VARIABLE)
        if named and not Path(named).is_file():
            raise ConfigError(
                f"{ENV_FILE_VARIABLE} names {str(named)!r}, which is not a file; "
                "for the embedded AWS, 'datafactory local up' writes it"
            )
        try:
            said = {**_read_file(Path(named or ".env")), **_lower(os.environ)}
            return _Settings.model_validate({**said, **self._overrides})
        except (ValidationError, OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the environment or {named or '.env'} cannot be read: {error}") from error

    def _required(self, variable: str) -> str:
        value = self.find(variable)
        if value is None:
            raise ConfigError(
                f"{variable} is not set; it is the {_SOURCES[variable]} "
                f"('cdk deploy' prints it; for the embedded AWS, 'datafactory local up' writes it to a file "
                f"that {ENV_FILE_VARIABLE} names)"
            )
        return value

    def find(self, variable: str) -> str | None:
        """The value of `variable`, such as ``SQS_DLQ_URL``; None where it is not set."""
        value: str | None = getattr(self._settings, variable.lower())
        return value

    @property
    def sqs_queue_url(self) -> str:
        """URL of the task queue (``SQS_QUEUE_URL``)."""
        return self._required("SQS_QUEUE_URL")

    @property
    def sqs_dlq_url(self) -> str:
        """URL of the dead letter queue (``SQS_DLQ_URL``)."""
        return self._required("SQS_DLQ_URL")

    @property
    def output_bucket(self) -> str:
        """Name of the bucket that holds the dataset (``OUTPUT_BUCKET``)."""
        return self._required("OUTPUT_BUCKET")

    @property
    def aws_region(self) -> str:
        return self._settings.aws_region

    @property
    def aws_profile(self) -> str | None:
        return self._settings.aws_profile

    @property
    def aws_endpoint_url(self) -> str | None:
        return self._settings.aws_endpoint_url

    @property
    def aws_credentials_block(self) -> str | None:
        """Name of the Prefect block with the flows' AWS credentials (``AWS_CREDENTIALS_BLOCK``)."""
        return self._settings.aws_credentials_block

    @property
    def generators_path(self) -> Path:
        """Folder that holds one folder for each generator (``GENERATORS_PATH``)."""
        return self._settings.generators_path

    @property
    def trust_generators(self) -> bool:
        """Whether batches may run side by side where the host can't isolate them (``TRUST_GENERATORS=1``)."""
        return self._settings.trust_generators

    @property
    def owns_temp_folder(self) -> bool:
        """Whether the temp folder is the worker's alone, and is swept after each batch (``OWNS_TEMP_FOLDER=1``)."""
        return self._settings.owns_temp_folder

    @property
    def prices_file(self) -> Path | None:
        """A list of prices to estimate with, in place of ours of the region (``PRICES_FILE``)."""
        return self._settings.prices_file

    @property
    def is_embedded(self) -> bool:
        """Whether the endpoint is on this machine, so that no real credential may be sent to it."""
        return _is_loopback(urlparse(self.aws_endpoint_url or "").hostname or "")


def _read_file(file: Path) -> dict[str, str]:
    """What a dotenv file says; nothing where there is none."""
    if not file.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - the Lambda has no such file

    return _lower(dotenv_values(file, encoding="utf-8"))


def _lower(variables: Mapping[str, str | None]) -> dict[str, str]:
    """Variables by their names in lower case, as the fields are called; empty ones are not set."""
    return {name.lower(): value for name, value in variables.items() if value}


def _is_loopback(host: str) -> bool:
    """Whether a host name or address is a loopback one."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")


config = Config()
