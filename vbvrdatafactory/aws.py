"""The one place that builds AWS clients: region, endpoint and profile come from a `Config`.

boto3 serves SQS, Lambda and CloudFormation; obstore serves S3, where its clients list and put several
times faster for a fraction of the CPU. boto3 is imported when its first client is made: a Lambda whose batches succeed
makes none, and starts in two thirds of the time. Who wants other clients instead, as tests do, says so here.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from obstore.store import S3Store

from vbvrdatafactory import loopback
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.errors import ConfigError

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
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

# How long obstore uses keys before it asks again; botocore renews a role's 10 to 15 minutes before they run out.
_KEYS_LIVE = timedelta(minutes=5)

# Connections a client keeps open; at least as many as any pool of threads that shares it.
MAX_CONNECTIONS = 64


@dataclass(frozen=True)
class Identity:
    """Who asks AWS: these keys, in this role. Without keys they come from where they come from otherwise.

    Args:
        role_arguments: of STS AssumeRole besides the role, such as ``ExternalId``.
    """

    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    role_arn: str | None = None
    role_arguments: Mapping[str, Any] = field(default_factory=dict)


NOBODY_ELSE = Identity()


class Services(Protocol):
    """Who answers in place of AWS; `vbvrdatafactory.testing.InMemoryAws` does."""

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3's clients have no common type
        """A client with the methods that boto3's has for `service`, such as ``sqs``."""

    def bucket(self, name: str) -> ObjectStore:
        """The bucket `name`."""

    def __hash__(self) -> int:
        """Clients that were taken from it are kept by it."""


_replacements: list[Services] = []


@contextmanager
def replaced_by(services: Services) -> Iterator[None]:
    """Take every client that this process asks for while the block lasts from `services`, and none from AWS.

    Clients that were made before stay what they are.
    """
    _replacements.append(services)
    try:
        yield
    finally:
        _replacements.pop()


def replacement() -> Services | None:
    """Who answers in place of AWS; None where AWS itself does."""
    return _replacements[-1] if _replacements else None


def session(config: Config, identity: Identity = NOBODY_ELSE) -> boto3.Session:
    """A boto3 session with the identity's, the profile's or the default chain's credentials.

    Loopback gets dummy ones, unless the identity has keys that are meant for it.
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
    """A botocore session; one for an endpoint on this machine reads nothing of the user's."""
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
    """A boto3 client for `service`; adaptive enough to ride out throttling, never more than a minute silent."""
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
    """The boto3 S3 client, for what obstore has no call for."""
    made: S3Client = client(config, "s3")
    return made


def s3_of(store: S3Store) -> S3Client:
    """A boto3 S3 client for the bucket of `store`, as whom the store asks: for what obstore refuses to do."""
    # `bucket` gives every store one, and none that is a coroutine.
    ask = cast("Callable[[], S3Credential]", store.credential_provider)
    found = ask()
    return _s3_client(
        store.config.get("region"),
        store.config.get("endpoint"),
        found["access_key_id"],
        found["secret_access_key"],
        found.get("token"),
    )


@lru_cache(maxsize=4)
def _s3_client(
    region: str | None, endpoint: str | None, key: str, secret: str, token: str | None
) -> S3Client:
    """Making one takes longer than a page of a listing; keys that were renewed make another."""
    there = Config(aws_region=region, aws_endpoint_url=endpoint)
    made: S3Client = client(there, "s3", Identity(key, secret, token))
    return made


def bucket(config: Config, name: str | None = None, identity: Identity = NOBODY_ELSE) -> ObjectStore:
    """An obstore store for the bucket `name` (default: ``OUTPUT_BUCKET``)."""
    name, endpoint = name or config.output_bucket, config.aws_endpoint_url or ""
    if not _BUCKET_NAME.fullmatch(name):
        # obstore would panic on it.
        raise ConfigError(f"{name!r} is no name of a bucket: 3 to 63 of a-z, 0-9, '.' and '-'")
    if instead := replacement():
        return instead.bucket(name)
    # obstore takes no None for an endpoint, and by itself would read keys and token of the environment.
    # AWS_ENDPOINT_URL_S3, which it prefers, is not what we were told.
    somewhere_else: S3Config = {"endpoint": endpoint, "aws_endpoint_url_s3": endpoint} if endpoint else {}
    here = config.is_embedded
    return S3Store(
        name,
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

    return Boto3CredentialProvider(session(config, identity), ttl=_KEYS_LIVE)


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
