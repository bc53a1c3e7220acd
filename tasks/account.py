"""The AWS account of the flows: the environment, and the Prefect block that it may name. Imports no Prefect by itself."""

from typing import TYPE_CHECKING, NamedTuple

from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config, config
from vbvrdatafactory.core.errors import ConfigError
from vbvrdatafactory.driver.services import Services

if TYPE_CHECKING:
    from prefect_aws import AwsCredentials


def connect() -> Services:
    """New services, as the environment and the credentials block that it may name describe them."""
    return Services(*account(config.answering))


class Account(NamedTuple):
    """Which AWS, and who asks it."""

    config: Config
    identity: aws.Identity


def account(config: Config) -> Account:
    """What `config` says, and over it what the block says that its ``AWS_CREDENTIALS_BLOCK`` names."""
    name = config.aws_credentials_block
    return account_of(load_block(name), config) if name else Account(config, aws.NOBODY_ELSE)


def load_block(name: str) -> "AwsCredentials":
    """The ``AwsCredentials`` block of that name.

    Raises:
        ConfigError: the Prefect server has none.
    """
    from prefect_aws import AwsCredentials  # noqa: PLC0415 - it takes seconds, and most runs need none

    try:
        found = AwsCredentials.load(name)
    except ValueError as error:
        raise ConfigError(
            f"AWS_CREDENTIALS_BLOCK is {name!r}, and the Prefect server has no AWS Credentials block of that "
            "name; make it in the UI under Blocks, or unset the variable to use the machine's own credentials"
        ) from error
    # By Prefect's types it might be a coroutine; in a task, which runs in a thread, it is not.
    if not isinstance(found, AwsCredentials):
        raise TypeError(f"Prefect returned {found!r} for the block {name!r}")
    return found


def account_of(block: "AwsCredentials", otherwise: Config) -> Account:
    """The account that `block` describes; what it leaves empty is as in `otherwise`."""
    there = otherwise.but(
        aws_region=block.region_name,
        aws_profile=block.profile_name,
        aws_endpoint_url=block.aws_client_parameters.endpoint_url,
    )
    secret = block.aws_secret_access_key
    identity = aws.Identity(
        access_key=block.aws_access_key_id,
        secret_key=secret.get_secret_value() if secret else None,
        token=block.aws_session_token,
        role_arn=block.assume_role_arn,
        role_arguments=block.assume_role_kwargs.get_params_override(),
    )
    return Account(there, identity)
