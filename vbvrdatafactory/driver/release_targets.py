"""Finds the target that a person named: ``hf:ORG/NAME`` or ``s3://BUCKET/PREFIX``."""

import re

from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config
from vbvrdatafactory.core.names import safe_prefix
from vbvrdatafactory.driver.release_bucket import BucketPrefix
from vbvrdatafactory.driver.release_hub import HubRepository
from vbvrdatafactory.driver.release_publish import Target
from vbvrdatafactory.driver.release_source import PublishError

_HUB = re.compile(r"hf:([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})")
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^?#]+)")


def find_target(text: str, config: Config, *, private: bool) -> Target:
    """The target.

    Args:
        text: what a person wrote.
        config: region and endpoint of buckets.
        private: whether a repository that does not exist yet is made private.

    Raises:
        PublishError: it is none, or there is no token for the Hub.
    """
    if found := _HUB.fullmatch(text):
        return HubRepository(found[1], private=private)
    if found := _BUCKET.fullmatch(text):
        try:
            prefix = safe_prefix(found[2].rstrip("/"))
        except ValueError as error:
            raise PublishError(str(error)) from error
        return BucketPrefix(aws.bucket(config, found[1], prefix=prefix), text.rstrip("/"))
    raise PublishError(f"{text[:200]!r} is no target; one looks like hf:ORG/NAME or s3://BUCKET/PREFIX")
