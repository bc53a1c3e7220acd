"""Sessions in an IAM role, with credentials that are renewed before they expire."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)

from vbvrdatafactory import aws

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vbvrdatafactory.core.config import Config


class _Role(CredentialProvider):
    """Provides botocore with role credentials that are renewed before they expire: a run may take longer."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._made = DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)

    def load(self) -> DeferredRefreshableCredentials:
        return self._made


def assume(role: str, keys: boto3.Session, config: Config, arguments: Mapping[str, Any]) -> boto3.Session:
    """A session in `role`, assumed with `keys`; `arguments` are those of STS AssumeRole besides the role."""
    fetcher = AssumeRoleCredentialFetcher(
        partial(keys.client, endpoint_url=config.aws_endpoint_url, config=aws.client_config(config)),
        keys.get_credentials(),
        role,
        extra_args=dict(arguments),
    )
    inner = aws.botocore_session(config)
    inner.register_component("credential_provider", CredentialResolver([_Role(fetcher)]))
    return boto3.Session(region_name=config.aws_region, botocore_session=inner)
