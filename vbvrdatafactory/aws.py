"""Creates AWS clients; region, endpoint and profile come from a `Config`.

boto3 is used for SQS, Lambda and CloudFormation, and obstore for S3, where it lists and puts several times faster with
a fraction of the CPU. boto3 is imported when its first client is created: a Lambda whose batches succeed creates none,
and starts in two thirds of the time. Tests replace all clients here.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from obstore.store import S3Store

from vbvrdatafactory import loopback
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.core.names import is_bucket_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import boto3
    from botocore.config import Config as BotoConfig
    from botocore.session import Session as BotoSession
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from obstore.store import ObjectStore, S3Config, S3Credential

# An emulator on loopback must never see a real key.
_EMBEDDED_KEY = "test"

# How long obstore uses credentials before it asks for new ones; botocore renews a role's 10 to 15 minutes before they expire.
_CREDENTIALS_TTL = timedelta(minutes=5)

# Connections a client keeps open; at least as many as any pool of threads that shares it.
MAX_CONNECTIONS = 64


@dataclass(frozen=True)
class Identity:
    """The credentials to use.

    Args:
        access_key: an access key id; without one, the profile's or the default chain's credentials are used.
        secret_key: its secret.
        token: its session token.
        role_arn: a role to assume with them.
        role_arguments: further arguments of STS AssumeRole, such as ``ExternalId``.
    """

    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    role_arn: str | None = None
    role_arguments: Mapping[str, Any] = field(default_factory=dict)


NOBODY_ELSE = Identity()


class Services(Protocol):
    """A replacement of AWS, such as `vbvrdatafactory.testing.InMemoryAws`."""

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3's clients have no common type
        """A client with the methods that boto3's has for `service`, such as ``sqs``."""

    def bucket(self, name: str) -> ObjectStore:
        """The bucket `name`; with a slash and a prefix after it, what lies below that prefix."""

    def __hash__(self) -> int:
        """Clients are cached by it."""


_replacements: list[Services] = []


@contextmanager
def replaced_by(services: Services) -> Iterator[None]:
    """Create every client of this process from `services` instead of AWS within the block.

    Clients that were created before are not replaced.
    """
    _replacements.append(services)
    try:
        yield
    finally:
        _replacements.pop()


def replacement() -> Services | None:
    """The replacement of AWS; None where AWS itself is used."""
    return _replacements[-1] if _replacements else None


def session(config: Config, identity: Identity = NOBODY_ELSE) -> boto3.Session:
    """A boto3 session with the identity's, the profile's or the default chain's credentials.

    An endpoint on this machine gets dummy ones, unless the identity has keys.
    """
    keys, role = _with_keys(config, identity), identity.role_arn
    if role is None:
        return keys
    from vbvrdatafactory.aws_role import assume

    return assume(role, keys, config, identity.role_arguments)


def _with_keys(config: Config, identity: Identity) -> boto3.Session:
    import boto3

    if identity.access_key:
        return boto3.Session(
            identity.access_key,
            identity.secret_key,
            identity.token,
            region_name=config.aws_region,
            botocore_session=botocore_session(config),
        )
    if config.is_embedded:
        return boto3.Session(
            _EMBEDDED_KEY,
            _EMBEDDED_KEY,
            region_name=config.aws_region,
            botocore_session=botocore_session(config),
        )
    return boto3.Session(region_name=config.aws_region, profile_name=config.aws_profile)


def botocore_session(config: Config) -> BotoSession:
    """A botocore session; for an endpoint on this machine one that ignores the user's configuration."""
    from botocore.session import Session as BotoSession

    return loopback.unconfigured_session() if config.is_embedded else BotoSession()


def client_config(config: Config) -> BotoConfig:
    """Retries, timeouts and proxies of every client."""
    from botocore.config import Config as BotoConfig

    return BotoConfig(
        retries={"mode": "standard", "max_attempts": 5},
        max_pool_connections=MAX_CONNECTIONS,
        connect_timeout=10,
        read_timeout=60,
        proxies=loopback.NO_PROXIES if config.is_embedded else None,
    )


def client(config: Config, service: str, identity: Identity = NOBODY_ELSE) -> Any:  # noqa: ANN401 - boto3's clients have no common type
    """A boto3 client for `service`; with retries of throttled calls, and a read timeout of a minute."""
    if instead := replacement():
        return instead.client(service)
    return session(config, identity).client(
        service,  # type: ignore[call-overload]
        endpoint_url=config.aws_endpoint_url,
        config=client_config(config),
    )


def sqs(config: Config, identity: Identity = NOBODY_ELSE) -> SQSClient:
    """The SQS client."""
    made: SQSClient = client(config, "sqs", identity)
    return made


def s3(config: Config) -> S3Client:
    """The boto3 S3 client, for operations that obstore does not have."""
    made: S3Client = client(config, "s3")
    return made


def s3_of(store: S3Store) -> S3Client:
    """A boto3 S3 client with the credentials and endpoint of `store`, for operations that obstore does not have."""
    # `bucket` gives every store one that is no coroutine.
    load = cast("Callable[[], S3Credential]", store.credential_provider)
    found = load()
    return _s3_client(
        store.config.get("region"),
        store.config.get("endpoint"),
        found["access_key_id"],
        found["secret_access_key"],
        found.get("token"),
    )


def address(store: S3Store, key: str) -> tuple[str, str]:
    """The bucket of a store, and `key` as the bucket has it: with the store's prefix."""
    return str(store.config["bucket"]), f"{store.prefix}/{key}" if store.prefix else key


@lru_cache(maxsize=4)
def _s3_client(
    region: str | None, endpoint: str | None, key: str, secret: str, token: str | None
) -> S3Client:
    """Cached: creating a client takes longer than listing a page. Renewed credentials create another."""
    there = Config(aws_region=region, aws_endpoint_url=endpoint)
    made: S3Client = client(there, "s3", Identity(key, secret, token))
    return made


def bucket(
    config: Config, name: str | None = None, identity: Identity = NOBODY_ELSE, *, prefix: str = ""
) -> ObjectStore:
    """An obstore store for the bucket `name` (default: ``OUTPUT_BUCKET``), or for what lies below a prefix in it."""
    name, endpoint = name or config.output_bucket, config.aws_endpoint_url or ""
    if not is_bucket_name(name):
        # obstore panics on it.
        raise ConfigError(f"{name!r} is not a valid bucket name: 3 to 63 of a-z, 0-9, '.' and '-'")
    if instead := replacement():
        return instead.bucket(f"{name}/{prefix}" if prefix else name)
    # obstore accepts no None for an endpoint, and would read credentials from the environment by itself.
    # It would prefer AWS_ENDPOINT_URL_S3 to the configured endpoint.
    somewhere_else: S3Config = {"endpoint": endpoint, "aws_endpoint_url_s3": endpoint} if endpoint else {}
    here = config.is_embedded
    return S3Store(
        name,
        prefix=prefix or None,
        config={**(loopback.S3_AS_ANYWHERE if here else {}), **somewhere_else},
        region=config.aws_region,
        credential_provider=_s3_keys(config, identity),
        client_options={
            "allow_http": endpoint.startswith("http://"),
            **(loopback.WITHOUT_PROXY if here else {}),
        },
    )


def _s3_keys(config: Config, identity: Identity) -> Callable[[], S3Credential]:
    if config.is_embedded and identity == NOBODY_ELSE:
        return _embedded_key
    if identity == NOBODY_ELSE and config.aws_profile is None and _environment_has_keys():
        return _environment_key
    from obstore.auth.boto3 import Boto3CredentialProvider

    return Boto3CredentialProvider(session(config, identity), ttl=_CREDENTIALS_TTL)


def _embedded_key() -> S3Credential:
    return {
        "access_key_id": _EMBEDDED_KEY,
        "secret_access_key": _EMBEDDED_KEY,
        "token": None,
        "expires_at": None,
    }


def _environment_has_keys() -> bool:
    """Whether the environment has keys, which botocore prefers to every other source; so it is in a Lambda."""
    return bool(os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY"))


def _environment_key() -> S3Credential:
    return {
        "access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "token": os.environ.get("AWS_SESSION_TOKEN") or os.environ.get("AWS_SECURITY_TOKEN"),
        "expires_at": None,
    }
