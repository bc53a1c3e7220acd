"""What an AwsCredentials block says about the account, and what it leaves to the environment."""

from prefect_aws import AwsCredentials
from prefect_aws.assume_role_parameters import AssumeRoleParameters
from prefect_aws.client_parameters import AwsClientParameters

from tasks.account import account_of
from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config

OTHERWISE = Config(aws_region="eu-west-3", aws_endpoint_url="http://127.0.0.1:9", output_bucket="bucket")


def test_a_block_wins_over_the_environment() -> None:
    """Region, endpoint and role are the block's; the addresses stay."""
    block = AwsCredentials(
        region_name="us-west-1",
        aws_client_parameters=AwsClientParameters(endpoint_url="https://aws.example"),
        assume_role_arn="arn:aws:iam::1:role/maker",
        assume_role_kwargs=AssumeRoleParameters(ExternalId="lab"),
    )
    where, who = account_of(block, OTHERWISE)
    assert (where.aws_region, where.aws_endpoint_url) == ("us-west-1", "https://aws.example")
    assert where.output_bucket == "bucket"
    assert (who.role_arn, who.role_arguments) == ("arn:aws:iam::1:role/maker", {"ExternalId": "lab"})


def test_what_a_block_leaves_empty_is_as_it_was() -> None:
    """An empty block changes nothing: the default chain, the region and the endpoint of the environment."""
    where, who = account_of(AwsCredentials(), OTHERWISE)
    assert (where.aws_region, where.aws_endpoint_url) == ("eu-west-3", "http://127.0.0.1:9")
    assert who == aws.NOBODY_ELSE


def test_a_secret_is_not_shown() -> None:
    """An identity in a log or a traceback tells no secret."""
    who = account_of(AwsCredentials(aws_access_key_id="K", aws_secret_access_key="hush"), OTHERWISE).identity
    assert who.secret_key == "hush"
    assert "hush" not in repr(who)
