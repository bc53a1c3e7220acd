"""The one place that builds AWS clients: region, endpoint and profile come from a `Config`.

boto3 serves SQS, Lambda and CloudFormation; obstore serves S3, where its clients list and put several
times faster for a fraction of the CPU.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config as BotoConfig
from botocore.session import Session as BotoSession
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from vbvrdatafactory.core.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from obstore.store import S3Config, S3Credential

    from vbvrdatafactory.core.config import Config

# An emulator on loopback must never see a real key.
_EMBEDDED_KEY = "test"
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

# Connections a client keeps open; at least as many as any pool of threads that shares it.
MAX_CONNECTIONS = 64


def session(config: Config) -> boto3.Session:
    """A boto3 session with the profile's or the default chain's credentials, or dummy ones for loopback."""
    if config.is_embedded:
        # Without its variables botocore does not look for the profile that AWS_PROFILE may name.
        blind = BotoSession(session_vars={"profile": (None, None, None, None)})
        return boto3.Session(
            _EMBEDDED_KEY, _EMBEDDED_KEY, region_name=config.aws_region, botocore_session=blind
        )
    return boto3.Session(region_name=config.aws_region, profile_name=config.aws_profile)


def client(config: Config, service: str) -> Any:  # noqa: ANN401 - boto3's clients have no common type
    """A boto3 client for `service`; adaptive enough to ride out throttling, never more than a minute silent."""
    return session(config).client(
        service,  # type: ignore[call-overload]
        endpoint_url=config.aws_endpoint_url,
        config=BotoConfig(
            retries={"mode": "standard", "max_attempts": 5},
            max_pool_connections=MAX_CONNECTIONS,
            connect_timeout=10,
            read_timeout=60,
        ),
    )


def sqs(config: Config) -> SQSClient:
    """The SQS client."""
    made: SQSClient = client(config, "sqs")
    return made


def s3(config: Config) -> S3Client:
    """The boto3 S3 client, for what obstore has no call for."""
    made: S3Client = client(config, "s3")
    return made


def bucket(config: Config, name: str | None = None) -> S3Store:
    """An obstore store for the bucket `name` (default: ``OUTPUT_BUCKET``)."""
    name, endpoint = name or config.output_bucket, config.aws_endpoint_url or ""
    if not _BUCKET_NAME.fullmatch(name):
        # obstore would panic on it.
        raise ConfigError(f"{name!r} is no name of a bucket: 3 to 63 of a-z, 0-9, '.' and '-'")
    # obstore takes no None for an endpoint, and by itself would read keys and token of the environment.
    somewhere_else: S3Config = {"endpoint": endpoint} if endpoint else {}
    return S3Store(
        name,
        config=somewhere_else,
        region=config.aws_region,
        credential_provider=_embedded_key if config.is_embedded else Boto3CredentialProvider(session(config)),
        client_options={"allow_http": endpoint.startswith("http://")},
    )


def _embedded_key() -> S3Credential:
    return {
        "access_key_id": _EMBEDDED_KEY,
        "secret_access_key": _EMBEDDED_KEY,
        "token": None,
        "expires_at": None,
    }
