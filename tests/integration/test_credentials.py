"""An AwsCredentials block of the Prefect server, chosen by name, leads SQS and S3 alike."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from prefect_aws import AwsCredentials
from prefect_aws.client_parameters import AwsClientParameters

from tasks.account import connect
from vbvrdatafactory.core.config import config
from vbvrdatafactory.core.errors import ConfigError

pytestmark = [pytest.mark.aws, pytest.mark.prefect]

# Where nobody listens: whatever reaches the embedded AWS was told so by the block.
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def use_block(factory: Any) -> Iterator[Callable[[str], None]]:
    """Have the tasks use a block by its name, with an environment that leads nowhere."""

    def use(name: str) -> None:
        astray = factory.config.but(aws_endpoint_url=NOWHERE, aws_credentials_block=name)
        replaced.enter_context(config.replaced_by(astray))

    with ExitStack() as replaced:
        yield use


@pytest.mark.parametrize("role", [None, "arn:aws:iam::000000000000:role/maker"])
def test_a_run_goes_where_the_block_says(factory, use_block, role) -> None:
    """Plan, messages, listing and report all reach the account of the block, with its keys or in its role."""
    name = factory.add_generator(f"T-block-{'role' if role else 'keys'}")
    AwsCredentials(
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name=factory.config.aws_region,
        aws_client_parameters=AwsClientParameters(endpoint_url=factory.config.aws_endpoint_url),
        assume_role_arn=role,
    ).save("lab", overwrite=True)
    use_block("lab")
    report = factory.generate(name, dataset=name, samples=4)
    assert (report.complete, report.run.messages) == (True, 1)


def test_a_block_that_is_not_there_is_named(use_block) -> None:
    """The error says which block is missing, and where to make it."""
    use_block("nobody")
    with pytest.raises(ConfigError, match=r"'nobody'.*UI under Blocks"):
        connect()
