"""The clients that tasks use, made once in a process from the environment.

They are never passed from task to task: Prefect would try to hash and copy them.
"""

from functools import cache
from typing import TYPE_CHECKING

from obstore.store import ObjectStore

from vbvrdatafactory import aws
from vbvrdatafactory.core.config import config

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient


@cache
def bucket() -> ObjectStore:
    """The dataset's bucket."""
    return aws.bucket(config)


@cache
def sqs() -> "SQSClient":
    """The SQS client."""
    return aws.sqs(config)


@cache
def functions() -> "LambdaClient":
    """The Lambda client: it says who takes messages."""
    made: LambdaClient = aws.client(config, "lambda")
    return made
