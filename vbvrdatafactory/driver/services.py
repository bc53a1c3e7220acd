"""The services that the use cases work with, as one value: AWS clients, a log and a clock."""

import copy
import logging
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self

from obstore.store import ObjectStore

from vbvrdatafactory import aws
from vbvrdatafactory.core.config import Config

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

_LOG = logging.getLogger(__name__)

Log = logging.Logger | logging.LoggerAdapter[Any]


class Clock(Protocol):
    """A monotonic clock in seconds, and how to wait by it; the module `time` is one."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


class _Clients:
    """The clients of one configuration, each made when it is first used."""

    def __init__(self, config: Config, identity: aws.Identity) -> None:
        self._config = config
        self._identity = identity
        self._stores: dict[str, ObjectStore] = {}

    def below(self, prefix: str) -> ObjectStore:
        if prefix not in self._stores:
            self._stores[prefix] = aws.bucket(self._config, identity=self._identity, prefix=prefix)
        return self._stores[prefix]

    @cached_property
    def sqs(self) -> "SQSClient":
        return aws.sqs(self._config, self._identity)

    @cached_property
    def functions(self) -> "LambdaClient":
        made: LambdaClient = aws.client(self._config, "lambda", self._identity)
        return made


class Services:
    """The services of one run.

    Args:
        config: addresses, region and endpoint.
        identity: the credentials to use; default those of the environment.
        log: where the use cases log.
        clock: measures and waits.
    """

    def __init__(
        self,
        config: Config,
        identity: aws.Identity = aws.NOBODY_ELSE,
        *,
        log: Log = _LOG,
        clock: Clock = time,
    ) -> None:
        self.config = config
        self.identity = identity
        self.log = log
        self.clock = clock
        self._clients = _Clients(config, identity)

    def with_log(self, log: Log) -> Self:
        """The same services, logging to `log`."""
        other = copy.copy(self)
        other.log = log
        return other

    @property
    def bucket(self) -> ObjectStore:
        """The bucket (``OUTPUT_BUCKET``), with the specs, locks and reports of all datasets."""
        return self._clients.below("")

    def samples(self, prefix: str) -> ObjectStore:
        """What lies below a dataset's prefix in the bucket: its samples, their records and its ledger."""
        return self._clients.below(prefix)

    @property
    def sqs(self) -> "SQSClient":
        return self._clients.sqs

    @property
    def functions(self) -> "LambdaClient":
        """The Lambda client: its event source mappings say who consumes the queue."""
        return self._clients.functions
